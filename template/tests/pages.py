"""What a browser does with our pages: follow links, fill in forms, keep hidden fields.

page = await browser.open("/sign-in")
page = await page.send("/sign-in", email="ada@example.com", password="...")
"""

from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
import pytest

from tests.factories import Someone, sign_in

BASE = "https://testserver"
CHOSEN = {"hidden", "radio", "checkbox", "file", "submit"}
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "path", "wbr"}


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, Any] = field(default_factory=dict)
    """What it holds; several ticked boxes of one name are a list."""
    to_type: set[str] = field(default_factory=set)
    """Names of fields that people type into."""


class Reader(HTMLParser):
    """Forms, links, errors and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.errors: dict[str, str] = {}
        self.words: list[str] = []
        self.heading = ""
        self._form: Form | None = None
        self._select = ""
        self._open: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._open.append((tag, given.get("id", "")))
        name = given.get("name", "")
        match tag:
            case "form":
                self._form = Form(given.get("action", ""), given.get("method", "get").lower())
                self.forms.append(self._form)
            case "a":
                self.links.append(given.get("href", ""))
            case "input" if self._form and name:
                if given.get("type") not in CHOSEN:
                    self._form.to_type.add(name)
                chosen = given.get("type") not in {"radio", "checkbox"} or "checked" in given
                if chosen and given.get("type") == "checkbox" and name in self._form.fields:
                    before = self._form.fields[name]
                    ticked = before if isinstance(before, list) else [before]
                    self._form.fields[name] = [*ticked, given.get("value", "")]
                elif chosen:
                    self._form.fields[name] = given.get("value", "")
            case "textarea" if self._form:
                self._form.to_type.add(name)
            case "select":
                self._select = name
            case "option" if self._form and self._select and "selected" in given:
                self._form.fields[self._select] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag in (name for name, _ in self._open):
            while self._open.pop()[0] != tag:
                pass
        if tag == "form":
            self._form = None

    def handle_data(self, data: str) -> None:
        if not (text := " ".join(data.split())):
            return
        tags = [tag for tag, _ in self._open]
        if {"script", "style", "template", "title"} & set(tags):
            return
        self.words.append(text)
        if "h1" in tags:
            self.heading += text
        for _, name in self._open:
            if name.startswith("field-") and name.endswith("-error"):
                self.errors[name.removeprefix("field-").removesuffix("-error")] = text


class Page:
    def __init__(self, browser: "Browser", response: httpx2.Response) -> None:
        self.browser = browser
        self.response = response
        self.status = response.status_code
        self.path = urlsplit(str(response.url)).path
        self.address = str(response.url).removeprefix(BASE)
        self.headers = response.headers
        self.html = response.text

    @cached_property
    def _read(self) -> Reader:
        return Reader(self.html)

    @property
    def heading(self) -> str:
        return self._read.heading

    @property
    def text(self) -> str:
        return " ".join(self._read.words)

    @property
    def links(self) -> list[str]:
        return self._read.links

    @property
    def errors(self) -> dict[str, str]:
        return self._read.errors

    @property
    def forms(self) -> list[Form]:
        return self._read.forms

    def form(self, action: str) -> Form:
        """The form that goes to `action`, whatever its query."""
        for form in self.forms:
            if urlsplit(form.action).path == action:
                return form
        raise AssertionError(
            f"No form to {action} on {self.path}: {[f.action for f in self.forms]}"
        )

    def has_form(self, action: str) -> bool:
        return any(urlsplit(form.action).path == action for form in self.forms)

    async def send(self, action: str, *, follow: bool = True, **typed: str) -> "Page":
        """Fill in the form that goes to `action` and send it as a browser would."""
        form = self.form(action)
        values = form.fields | typed
        address = urljoin(str(self.response.url), form.action)
        # Chromium sends an opaque origin from pages that send no referrer.
        private = self.headers["referrer-policy"] == "no-referrer"
        headers = (
            {"Origin": "null"} if private else {"Origin": BASE, "Referer": BASE + self.address}
        )
        return await self.browser.request(
            form.method.upper(), address, follow=follow, data=values, headers=headers
        )


class Browser:
    """Cookies and redirects, and nothing that a real browser would not send."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client
        client.headers["Accept"] = "text/html,application/xhtml+xml"

    async def sign_in(self, someone: Someone, **session: bool) -> None:
        """A session without the sign-in page; forms bring their token themselves."""
        await sign_in(self.client, someone, **session)
        del self.client.headers["X-CSRF-Token"]

    async def request(self, method: str, address: str, *, follow: bool = True, **more) -> Page:
        response = await self.client.request(method, address, follow_redirects=follow, **more)
        return Page(self, response)

    async def open(self, address: str, *, follow: bool = True) -> Page:
        return await self.request("GET", address, follow=follow)


@pytest.fixture
def browser(client: httpx2.AsyncClient) -> Browser:
    """Someone with a browser of their own."""
    return Browser(client)
