"""Someone signed in before the chat, in a real browser."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from playwright.async_api import Browser, Page

from app.access.forgery import SESSION_COOKIE
from tests.asking import need_the_assistant
from tests.factories import make_user, sign_in
from tests.llm.wire_server import WireServer


@pytest.fixture
async def page(
    chromium: Browser,
    live_server: str,
    model: WireServer,
) -> AsyncIterator[Page]:
    """A browser in which someone is signed in. What it complains about fails the test."""
    need_the_assistant()
    async with httpx2.AsyncClient(verify=False) as client:
        await sign_in(client, await make_user(password=False))
        token = client.cookies[SESSION_COOKIE]
    # Browsers take localhost for as safe as HTTPS, so they keep a cookie that is for HTTPS only.
    context = await chromium.new_context(base_url=live_server.replace("127.0.0.1", "localhost"))
    context.set_default_timeout(30_000)
    await context.add_cookies(
        [
            {
                "name": SESSION_COOKIE,
                "value": token,
                "domain": "localhost",
                "path": "/",
                "secure": True,
            }
        ]
    )
    opened, complaints = await context.new_page(), []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    await context.close()
    assert complaints == []


async def ask(page: Page, text: str) -> None:
    await page.get_by_label("Your message").fill(text)
    await page.keyboard.press("Enter")
