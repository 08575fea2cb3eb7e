"""Ask for a person where the answer stands."""

import pytest
from playwright.async_api import expect

from tests.web.chatting import ask
from tests.web.chatting import page as page

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


async def test_who_corrects_an_answer_can_have_a_person_look(page, model):
    await page.goto("/chat")
    await ask(page, "Is that so?")
    await page.get_by_role("button", name="Bad answer").click()
    await page.get_by_label("A better answer").fill("No.")
    await page.get_by_label("Let a person look at the question and the answer").check()
    await page.get_by_role("button", name="Send", exact=True).last.click()
    await expect(page.get_by_text("A person will look at this", exact=True)).to_be_visible()


async def test_an_answer_that_is_withheld_says_so_as_it_ends(page, model, configure):
    configure(GUARDRAILS_REVIEW_WORDS='["word9"]')
    await page.goto("/chat")
    await ask(page, "Say ten words.")
    await expect(page.get_by_text("A person will look at this", exact=True)).to_be_visible()
    await expect(page.get_by_text("A person looks at this answer before")).to_be_visible()
    await expect(page.get_by_text("word1")).to_have_count(0)
