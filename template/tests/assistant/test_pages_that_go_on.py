"""The chat in a real browser while something waits for approval: what comes is seen at once."""

import pytest
from playwright.async_api import expect
from sqlalchemy import text

from app.core import db
from tests.assistant.going import DONE, Office, work
from tests.factories import make_user
from tests.tools.conftest import asks, plays, says, tool
from tests.tools.test_approvals import approve, first, paid
from tests.web.chatting import ask
from tests.web.chatting import page as page

__all__ = ["paid", "plays", "tool"]

pytestmark = pytest.mark.browser
SECONDS = 60_000


async def test_what_follows_an_approval_comes_without_a_reload(page, plays, paid, browser_of):
    waits = asks(("pay_out", {"amount": 5}))
    plays(waits, says("It waits."), says("Ada has **it**."), waits, says("It waits."))
    state = page.locator("[data-log] [data-state]").last
    await page.goto("/chat")
    await ask(page, "Pay Ada five.")
    await expect(state).to_contain_text("Waits for approval")
    await expect(page.get_by_text("It waits.")).to_be_visible()
    await page.evaluate("window.notLoadedAgain = true")
    async with db.transaction(elevated=True) as session:
        organization = await session.scalar(
            text("SELECT organization_id FROM conversations WHERE id = :id"),
            {"id": page.url.rpartition("/")[2]},
        )
    boss = await browser_of(await make_user(organization, role="reviewer", password=False))
    office = Office(boss, boss, boss)
    await approve(boss, await first(boss))
    await work(office)
    await expect(page.get_by_text(DONE)).to_be_visible(timeout=SECONDS)
    await expect(page.get_by_text("Ada has it.")).to_be_visible(timeout=SECONDS)
    await expect(state).to_contain_text("Done: 5 paid")

    await ask(page, "And once more.")
    await expect(state).to_contain_text("Waits for approval")
    one = await first(boss)
    assert (await boss.client.post(f"/api/approvals/{one['id']}/decline")).is_success
    await work(office)
    await expect(page.get_by_text("“Pay” was declined.")).to_be_visible(timeout=SECONDS)
    assert await page.evaluate("window.notLoadedAgain")
