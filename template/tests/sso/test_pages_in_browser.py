"""The way to a provider and back in a real browser, with its rules about cookies and forms."""

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect
from sqlalchemy import text

from app.core import db
from tests.browser.conftest import open_page as open_page
from tests.sso.issuer import someone

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Awaitable[Page]]


@pytest.fixture
def laptop(live_server: str, configure: Callable[..., None]) -> str:
    """The server of this test process, by the name that browsers trust like HTTPS."""
    address = live_server.replace("127.0.0.1", "localhost")
    configure(PUBLIC_URL=address)
    return address


async def test_there_and_back_and_what_an_account_shows(laptop, issuer, other_issuer, open_page):
    issuer.person = someone()
    page = await open_page(laptop)
    await page.goto("/sign-in?next=/account/security")

    await page.get_by_role("button", name="Sign in with Acme").click()

    await page.wait_for_url("**/account/security")
    card = page.locator("section", has_text="Connected sign-ins")
    await expect(card.get_by_text("Connected", exact=True)).to_be_visible()
    other_issuer.person = someone()
    await card.get_by_role("button", name="Connect Evil").click()
    await expect(page.get_by_text("Evil is connected.")).to_be_visible()

    await page.get_by_role("button", name="Remove the connection to Acme").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    await expect(page.get_by_text("The connection is removed.")).to_be_visible()


async def test_administrators_see_providers_and_the_directory_on_a_phone(
    laptop, issuer, other_issuer, open_page
):
    issuer.person, other_issuer.broken = someone(), True
    page = await open_page(laptop, viewport={"width": 390, "height": 844})
    await page.goto("/sign-in")
    await page.get_by_role("button", name="Sign in with Acme").click()
    await page.wait_for_url("**/chat")
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "UPDATE memberships SET role = 'admin'"
                " WHERE user_id = (SELECT id FROM users WHERE email = :e)"
            ),
            {"e": issuer.person["email"]},
        )

    await page.goto("/admin/sso")

    await expect(page.get_by_text("Does not answer")).to_be_visible()
    await page.goto("/admin/directory")
    await page.get_by_role("button", name="Make a token").click()
    await expect(page.get_by_text("It is not shown again.")).to_be_visible()
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
