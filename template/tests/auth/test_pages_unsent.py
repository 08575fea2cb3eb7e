"""What was written into a form is not lost with the session, in a real browser."""

import re
from collections.abc import AsyncIterator

import httpx2
import pytest
from playwright.async_api import Browser, Page, expect
from sqlalchemy import text

from app.access.forgery import SESSION_COOKIE
from app.core import db
from tests.asking import through_the_assistant
from tests.factories import Someone, make_user, sign_in

pytestmark = pytest.mark.browser
HERE_AGAIN = "What you wrote is here again. It was not sent."


@pytest.fixture
async def page(chromium: Browser, live_server: str) -> AsyncIterator[Page]:
    address = live_server.replace("127.0.0.1", "localhost")
    context = await chromium.new_context(base_url=address)
    context.set_default_timeout(30_000)
    opened, complaints = await context.new_page(), []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    await context.close()
    assert complaints == []


async def come_in(page: Page, someone: Someone) -> None:
    async with httpx2.AsyncClient(verify=False) as client:
        await sign_in(client, someone, second_factor=True)
        value = client.cookies[SESSION_COOKIE]
    cookie = {"name": SESSION_COOKIE, "value": value, "domain": "localhost", "path": "/"}
    await page.context.add_cookies([cookie | {"secure": True}])


async def change(someone: Someone, values: str) -> None:
    async with db.transaction(elevated=True) as session:
        change = text(f"UPDATE sessions SET {values} WHERE user_id = :user_id")
        await session.execute(change, {"user_id": someone.user_id})


async def stands_at(page: Page, heading: str) -> None:
    """The page is there, and its scripts have run."""
    await expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    await page.wait_for_load_state("load")


async def write_name(page: Page, someone: Someone, name: str) -> None:
    """Write into a form and send it when the session has ended."""
    await page.goto("/account")
    await page.get_by_label("Name", exact=True).fill(name)
    await change(someone, "revoked_at = now()")
    await page.get_by_role("button", name="Save").click()
    await stands_at(page, "Sign in")


async def test_words_wait_while_their_writer_signs_in_again_and_for_nobody_else(page):
    ada = await make_user(password=False)
    await come_in(page, ada)
    await write_name(page, ada, "Countess of Lovelace")
    await come_in(page, ada)
    await page.goto("/account")
    await expect(page.get_by_text(HERE_AGAIN)).to_be_visible()
    await expect(page.get_by_label("Name", exact=True)).to_have_value("Countess of Lovelace")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text(HERE_AGAIN)).to_have_count(0)
    await expect(page.get_by_label("Name", exact=True)).to_have_value("Countess of Lovelace")
    await page.wait_for_load_state("load")
    assert await page.evaluate("sessionStorage.getItem('unsent')") is None

    await come_in(page, ada)
    await write_name(page, ada, "For my eyes only")
    await come_in(page, await make_user(password=False))
    await page.goto("/account")
    await expect(page.get_by_label("Name", exact=True)).to_have_value("Ada Lovelace")
    await page.wait_for_load_state("load")
    assert await page.evaluate("sessionStorage.getItem('unsent')") is None

    # Signed in anew in another tab: the form's token is of the session before.
    await come_in(page, ada)
    await page.goto("/account")
    await page.get_by_label("Name", exact=True).fill("Written before")
    await come_in(page, ada)
    await page.get_by_role("button", name="Save").click()
    await stands_at(page, "The page was too old")
    await page.get_by_role("link", name="Load it again").click()
    await expect(page.get_by_label("Name", exact=True)).to_have_value("Written before")


@through_the_assistant
async def test_a_question_waits_while_who_asks_signs_in_again(page):
    ada = await make_user(password=False)
    await come_in(page, ada)
    await page.goto("/chat")
    await change(ada, "revoked_at = now()")
    await page.get_by_label("Your message").fill("A question that took long to write")
    await page.keyboard.press("Enter")
    await stands_at(page, "Sign in")
    await come_in(page, ada)
    await page.goto("/chat")
    await expect(page.get_by_label("Your message")).to_have_value(re.compile("^A question that"))


async def test_words_wait_while_someone_proves_who_they_are(page):
    admin = await make_user(role="admin", password=False)
    await come_in(page, admin)
    await page.goto("/admin/users/invitations")
    await page.get_by_label("E-mail address").fill("grace@example.com")
    await page.get_by_role("radio", name="Reviewer").check()
    await change(admin, "authenticated_at = now() - interval '2 hours'")
    await page.get_by_role("button", name="Send invitation").click()
    await stands_at(page, "Confirm that it is you")
    await change(admin, "authenticated_at = now()")
    await page.goto("/admin/users/invitations")
    await expect(page.get_by_label("E-mail address")).to_have_value("grace@example.com")
    await expect(page.get_by_role("radio", name="Reviewer")).to_be_checked()
