"""The chat as people see it, in a real browser."""

import asyncio
import re

import pytest
from playwright.async_api import expect

from tests.llm.wire_server import Behaviour
from tests.web.chatting import ask
from tests.web.chatting import page as page

pytestmark = pytest.mark.browser


async def test_the_first_question_makes_a_conversation_that_stands_in_the_list(page, model):
    await page.goto("/chat")
    await ask(page, "How many moons has Jupiter?")
    links = page.get_by_role("navigation", name="Conversations").get_by_role("listitem")
    await expect(links).to_have_text(["How many moons has Jupiter?"])
    await expect(page).to_have_title(re.compile("^How many moons has Jupiter"))
    await expect(page.locator(".message-assistant .prose")).to_contain_text("word9")
    await page.get_by_role("button", name="Rename").click()
    await page.get_by_label("Title").fill("Moons")
    await page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    await expect(links).to_have_text(["Moons"])
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(links).to_have_count(0)


async def test_words_are_shown_while_the_model_still_writes(page, model):
    go_on = asyncio.Event()
    model.behaviour = Behaviour(hold=go_on, hold_after=5)
    await page.goto("/chat")
    await ask(page, "What is it?")
    answer = page.locator(".message-assistant")
    await expect(answer.locator(".prose")).to_contain_text("word2")
    assert await answer.get_attribute("aria-busy") == "true"
    assert "word9" not in await answer.locator(".prose").inner_text()
    go_on.set()
    await expect(answer.locator(".prose")).to_contain_text("word9")
    await expect(answer).not_to_have_attribute("aria-busy", "true")


async def test_a_thumb_is_still_there_after_loading_the_page_again(page, model):
    await page.goto("/chat")
    await ask(page, "What is it?")
    await page.get_by_role("button", name="Good answer").click()
    await expect(page.get_by_text("Your rating is kept")).to_be_attached()
    await page.reload()
    good = page.get_by_role("button", name="Good answer")
    await expect(good).to_have_attribute("aria-pressed", "true")


async def test_a_question_without_an_answer_can_be_asked_again_after_a_reload(page, model):
    model.behaviour = Behaviour(status=500, error={})
    await page.goto("/chat")
    await ask(page, "What is it?")
    await expect(page.get_by_role("alert")).to_be_visible()
    model.behaviour = Behaviour()
    await page.reload()
    await expect(page.get_by_text("No answer came.")).to_be_visible()
    await page.locator("[data-retry]").click()
    await expect(page.locator(".message-assistant .prose")).to_contain_text("word9")
    await page.reload()
    await expect(page.locator(".message-person")).to_have_count(1)
    await expect(page.locator(".message-assistant")).to_have_count(1)


async def test_who_loads_the_page_while_the_answer_is_written_gets_it_when_it_is_there(page, model):
    go_on = asyncio.Event()
    model.behaviour = Behaviour(hold=go_on, hold_after=5)
    await page.goto("/chat")
    await ask(page, "What is it?")
    await expect(page.locator(".message-assistant .prose")).to_contain_text("word2")
    other = await page.context.new_page()
    await other.goto(page.url)
    await expect(other.get_by_text("The answer is still being written.")).to_be_visible()
    go_on.set()
    await expect(other.locator(".message-assistant .prose")).to_contain_text("word9")
    await expect(other.get_by_text("The answer is still being written.")).to_have_count(0)


async def test_a_reload_right_behind_the_last_word_shows_the_answer(page, model):
    model.behaviour = Behaviour(end_after=0.5)
    await page.goto("/chat")
    await ask(page, "What is it?")
    await expect(page.locator(".message-assistant .prose")).to_contain_text("word9")
    await page.reload()
    await expect(page.locator(".message-assistant .prose")).to_contain_text("word9")
    # Rated like any other, although the reader went away before its end.
    await page.get_by_role("button", name="Good answer").click()
    await expect(page.get_by_text("Your rating is kept")).to_be_attached()


async def test_an_answer_that_was_stopped_is_kept_as_far_as_it_came(page, model):
    model.behaviour = Behaviour(words=("word ",) * 300, gap=0.05)
    await page.goto("/chat")
    await ask(page, "Tell me all.")
    await expect(page.locator(".message-assistant .prose")).to_contain_text("word word")
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_text("Stopped", exact=True)).to_be_visible()
    await model.aborted.wait()
    # The server stores it in its own time.
    for _ in range(50):
        await page.reload()
        if await page.get_by_text("Interrupted", exact=True).count():
            break
    await expect(page.locator(".message-assistant .prose")).to_contain_text("word word")
