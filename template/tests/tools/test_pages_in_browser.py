"""Tools in a real browser: while the answer is written, and when the page is opened again."""

import pytest
from playwright.async_api import expect

from tests.tools.conftest import asks, says
from tests.web.chatting import ask
from tests.web.chatting import page as page

pytestmark = pytest.mark.browser


async def test_tools_are_told_while_they_are_used_and_stay(page, plays):
    plays(
        asks(("rename_conversation", {"title": "Budget"}), ("unheard_of", {})),
        says("It is renamed."),
    )
    await page.goto("/chat")
    await ask(page, "Call it Budget.")
    used = page.get_by_role("list", name="Tools").last.get_by_role("listitem")
    for _ in range(2):
        await expect(used.nth(0)).to_contain_text("Rename the conversation")
        await expect(used.nth(0)).to_contain_text("Done")
        await expect(used.nth(1)).to_contain_text("Refused")
        await expect(page.get_by_text("It is renamed.")).to_be_visible()
        await page.reload()
