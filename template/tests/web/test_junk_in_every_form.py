"""Every form that an administrator finds by following links, with what nobody should type."""

import re
from urllib.parse import urljoin, urlsplit

import pytest

from tests.factories import make_user
from tests.pages import Browser, Form, Page

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
JUNK = ("x" * 5000, "'\"><script>alert(1)</script>\nb\0\U0001f600", "99999999999999999999")
# What Python calls things has no place on a page, nor has what was typed as part of it.
NOT_FOR_PEOPLE = re.compile(r"\[&#3[49];|UUID\(|datetime\.|>None<|Traceback|<script>alert")


def kind(address: str) -> str:
    return ID.sub("ID", urlsplit(address).path)


async def fill(browser: Browser, page: Page, form: Form, junk: str) -> Page:
    values = form.fields | dict.fromkeys(form.to_type, junk)
    headers = {"Origin": "https://testserver", "Referer": str(page.response.url)}
    given = {"data": values} if form.method == "post" else {"params": values}
    action = urljoin(str(page.response.url), form.action)
    return await browser.request(
        form.method.upper(), action, follow=False, headers=headers, **given
    )


@pytest.mark.dear
async def test_junk_gets_a_sentence_and_comes_back_as_it_was(client):
    admin = await make_user(role="admin", password=False)
    browser = Browser(client)
    await browser.sign_in(admin, second_factor=True)
    seen, filled, waiting, wrong = set(), set(), ["/"], []
    while waiting:
        address = waiting.pop()
        if not re.match(r"/(?!/|api/|static/)", address) or kind(address) in seen:
            continue
        seen.add(kind(address))
        page = await browser.open(address)
        if page.status != 200 or "html" not in page.headers["content-type"]:
            continue
        waiting += page.links
        for form in page.forms:
            key = kind(form.action or page.path), form.method, *sorted(form.to_type)
            if not form.to_type or form.method == "dialog" or key in filled:
                continue
            filled.add(key)
            for junk in JUNK:
                answer = await fill(browser, page, form, junk)
                found = NOT_FOR_PEOPLE.search(answer.html)
                if answer.status >= 500 or found:
                    wrong.append((*key, junk[:10], answer.status, found and found[0]))
                if (await browser.open("/account")).path != "/account":
                    await browser.sign_in(admin, second_factor=True)
    assert not wrong
    assert len(seen) > 10
    assert len(filled) > 5
