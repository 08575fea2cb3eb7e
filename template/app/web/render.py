"""Render a page: `render(request, "audit/events.html", person=person, events=events)`.

A page finds `ui` (the macros of web/macros.html), `icon`, `static`, `project`, `may` and the
filters of formats.py without an import.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

import app
from app.core.settings import answers, get_settings
from app.modules import MODULES
from app.web import charts, flash, formats, navigation
from app.web.icons import icon
from app.web.navigation import Viewer
from app.web.static_files import files, static

BROWSER_COOKIE = "__Host-browser"
OWN_SESSION_COOKIE = "__Host-own-session"
THEME_COOKIE = "theme"
HTMX = {
    "allowEval": False,
    "allowScriptTags": False,
    "historyCacheSize": 0,  # pages may hold personal data: none of it stays in the browser
    "includeIndicatorStyles": False,
    "refreshOnHistoryMiss": True,
    "selfRequestsOnly": True,
    "responseHandling": [
        {"code": "204", "swap": False},
        {"code": "[23]..", "swap": True},
        {"code": "422", "swap": True},
        {"code": "[45]..", "swap": False, "error": True},
    ],
}
FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="8" fill="{accent}"/><text x="16" y="22.5" font-size="19"'
    ' font-family="sans-serif" font-weight="700" text-anchor="middle" fill="{ink}">{letter}</text>'
    "</svg>"
)


@cache
def environment() -> Environment:
    """The templates of every module, by folder."""
    folders = (Path(app.__file__).parent / module / "templates" for module in MODULES)
    made = Environment(
        loader=FileSystemLoader([folder for folder in folders if folder.is_dir()]),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=get_settings().app_env == "development",
        trim_blocks=True,
        lstrip_blocks=True,
    )
    project = answers()["project"]
    made.globals |= {
        "charts": charts,
        "environment_name": get_settings().app_env,
        "favicon": "data:image/svg+xml," + quote(_favicon(project["name"])),
        "htmx_config": HTMX,
        "icon": icon,
        "project": project,
        "static": static,
    }
    made.filters |= {
        function.__name__: function
        for function in (
            formats.when,
            formats.day,
            formats.number,
            formats.short_number,
            formats.money,
            formats.initials,
        )
    }
    return made


def _favicon(name: str) -> str:
    """The project's initial in the brand's colours, as app.css has them."""
    css = files()["app.css"].content.decode()
    colours = dict(re.findall(r"--([\w-]+): light-dark\((#\w+)", css))
    letter = escape(name[0].upper())
    return FAVICON.format(accent=colours["accent"], ink=colours["on-accent"], letter=letter)


def render(
    request: Request,
    name: str,
    *,
    person: Viewer | None = None,
    status: int = 200,
    **context: Any,
) -> HTMLResponse:
    """Answer with a page. Pass `person` and it stands in the signed-in frame."""
    messages = _Messages(request)
    variables = _of_request(request, person) | {"messages": messages.take} | context
    # The macros know the request too: `ui.form` writes the forgery token by itself.
    variables["ui"] = environment().get_template("web/macros.html").make_module(variables)
    response = HTMLResponse(environment().get_template(name).render(variables), status)
    response.headers["Vary"] = "Cookie, HX-Request"
    if messages.taken:
        flash.forget(response)
    if browser := getattr(request.state, "new_browser", None):
        response.set_cookie(
            BROWSER_COOKIE, browser, path="/", secure=True, httponly=True, samesite="lax"
        )
    return response


def _of_request(request: Request, person: Viewer | None) -> dict[str, Any]:
    theme = request.cookies.get(THEME_COOKIE)
    permissions = person.permissions if person else frozenset()
    variables: dict[str, Any] = {
        "request": request,
        "person": person,
        "signed_in": person is not None and person.level == "full",
        "impersonation": getattr(person, "impersonation", None),
        # Pages that ask nobody who they are know it from the cookie.
        "impersonates": OWN_SESSION_COOKIE in request.cookies,
        "may": permissions.__contains__,
        "theme": theme if theme in {"light", "dark"} else "",
        "csp_nonce": getattr(request.state, "csp_nonce", ""),
    }
    if person and variables["signed_in"]:
        variables |= navigation.around(request.url.path, person)
    # Left undefined on routes that made none: a form there fails at once, not when it is sent.
    if (token := getattr(request.state, "csrf_token", None)) is not None:
        variables["csrf_token"] = token
    return variables


class _Messages:
    """Flash messages count as shown only when a template asked for them."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.taken = False

    def take(self) -> list[flash.Message]:
        found = flash.waiting(self.request)
        self.taken = bool(found)
        return found
