"""Ask for a person where the answer stands."""

import pytest
from playwright.async_api import expect

from tests.assistant.test_pages_in_browser import ask
from tests.assistant.test_pages_in_browser import page as page
from tests.web.conftest import chromium as chromium

pytestmark = pytest.mark.browser


async def test_one_press_asks_for_a_person_and_stays_said(page, model):
    await page.goto("/chat")
    await ask(page, "Is that so?")
    button = page.get_by_role("button", name="Let a person look at this")
    await button.click()
    for _ in range(2):
        await expect(page.get_by_text("A person will look at this", exact=True)).to_be_visible()
        await expect(button).to_be_hidden()
        await page.reload()
