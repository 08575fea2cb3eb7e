import asyncio
import re
from html import unescape

import pytest

from app.assistant.models import Conversation, Message
from app.core import db
from tests.asking import turns_in_order
from tests.llm.wire_server import WORDS, Behaviour

HTML = {"Accept": "text/html"}


async def page(browser, path: str, status: int = 200) -> str:
    answer = await browser.client.get(path, headers=HTML)
    assert answer.status_code == status
    return answer.text


async def post(browser, path: str, **form: str):
    return await browser.client.post(path, data=form, headers=HTML)


def side(html: str) -> list[str]:
    """The titles beside the conversation."""
    links = re.search(r'<ul class="chat-links">(.*?)</ul>', html, re.DOTALL)[1]
    return [unescape(title) for title in re.findall(r"<a [^>]*>(.*?)</a>", links)]


async def test_a_new_conversation_begins_with_suggestions(browser, model):
    html = await page(browser, "/chat")
    assert 'data-conversation=""' in html
    assert html.count("data-suggestion") >= 2
    assert side(html) == []


async def test_people_begin_here(browser):
    answer = await browser.client.get("/", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/chat")


async def test_what_was_said_is_there_again(browser, model):
    model.behaviour = Behaviour(words=("A <b>bold</b> answer.",))
    conversation = await browser.new()
    await browser.ask(conversation, "What is <i>it</i>?")
    html = await page(browser, f"/chat/{conversation}")
    assert f'data-conversation="{conversation}"' in html
    assert '<div class="message-text">What is &lt;i&gt;it&lt;/i&gt;?</div>' in html
    assert "A &lt;b&gt;bold&lt;/b&gt; answer." in html
    call_id = (await browser.messages(conversation))[1]["call_id"]
    assert f'data-call-id="{call_id}"' in html
    assert "small-1" in html
    assert side(html) == ["What is <i>it</i>?"]


async def test_markup_in_an_answer_is_shown_and_not_run(browser, model):
    model.behaviour = Behaviour(words=('<img src=x onerror="alert(1)">', " and ", "<b>bold</b>"))
    conversation = await browser.new()
    await browser.ask(conversation, "What do our customers say?")

    page = await browser.client.get(f"/chat/{conversation}")

    assert "<img src=x" not in page.text
    assert "&lt;img src=x" in page.text


async def test_a_thumb_given_before_is_shown_as_pressed(browser, model):
    conversation = await browser.new()
    await browser.ask(conversation, "What is it?")
    call_id = (await browser.messages(conversation))[1]["call_id"]
    await browser.client.put(f"/api/feedback/{call_id}", json={"rating": "down"})
    html = await page(browser, f"/chat/{conversation}")
    assert re.search(r'data-rate="down"[^>]*aria-pressed="true"', html)
    assert not re.search(r'data-rate="up"[^>]*aria-pressed="true"', html)


async def test_a_conversation_nobody_asked_anything_in_has_no_line_in_the_list(browser, model):
    await browser.new()
    assert side(await page(browser, "/chat")) == []


async def test_it_can_be_renamed(browser, model):
    conversation = await browser.new()
    await browser.ask(conversation, "What is it?")
    answer = await post(browser, f"/chat/{conversation}/rename", title=" Riddles ")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/chat/{conversation}")
    assert side(await page(browser, "/chat")) == ["Riddles"]


@pytest.mark.parametrize("title", ["", "x" * 121])
async def test_a_title_that_is_none_changes_nothing(browser, model, title):
    conversation = await browser.new()
    await browser.ask(conversation, "What is it?")
    answer = await post(browser, f"/chat/{conversation}/rename", title=title)
    assert answer.status_code == 303
    assert side(await page(browser, "/chat")) == ["What is it?"]


async def test_it_can_be_deleted(browser, model):
    conversation = await browser.new()
    await browser.ask(conversation, "What is it?")
    answer = await post(browser, f"/chat/{conversation}/delete")
    assert (answer.status_code, answer.headers["location"]) == (303, "/chat")
    assert side(await page(browser, "/chat")) == []
    assert "does not exist" in await page(browser, f"/chat/{conversation}", 404)


async def test_a_form_without_the_pages_token_is_refused(browser, model):
    conversation = await browser.new()
    del browser.client.headers["X-CSRF-Token"]
    for path in ("rename", "delete"):
        answer = await post(browser, f"/chat/{conversation}/{path}", title="Theirs")
        assert answer.status_code == 403
    await page(browser, f"/chat/{conversation}")


async def test_a_question_without_an_answer_offers_to_try_again(browser, model):
    model.behaviour = Behaviour(status=500, error={})
    conversation = await browser.new()
    await browser.refused(conversation, "What is it?", key="k1")
    html = await page(browser, f"/chat/{conversation}")
    assert "No answer came." in html
    assert 'data-retry="k1"' in html
    model.behaviour = Behaviour()
    await browser.ask(conversation, "What is it?", key="k1")
    assert "data-retry" not in await page(browser, f"/chat/{conversation}")


async def test_an_answer_that_broke_off_says_so_and_offers_to_try_again(browser, model):
    model.behaviour = Behaviour(cut_after=3, gap=0.02)
    conversation = await browser.new()
    await browser.ask(conversation, "What is it?", key="k1")
    html = await page(browser, f"/chat/{conversation}")
    assert "Interrupted" in html
    assert "The answer broke off." in html
    assert 'data-retry="k1"' in html


async def test_while_an_answer_is_written_elsewhere_nothing_offers_a_retry(live_browser, model):
    browser = live_browser
    go_on = asyncio.Event()
    model.behaviour = Behaviour(hold=go_on, hold_after=3)
    conversation = await browser.new()
    async with browser.asking(conversation, "What is it?", key="k1") as reader:
        events = aiter(reader)
        await anext(events)
        html = await page(browser, f"/chat/{conversation}")
        assert "still being written" in html
        assert "data-retry" not in html
        go_on.set()
        async for _ in events:
            pass
    assert "".join(WORDS).strip() in await page(browser, f"/chat/{conversation}")


async def test_long_conversations_lead_to_their_earlier_messages(browser, model):
    conversation = await browser.new()
    own = browser.someone
    async with db.transaction(organization_id=own.organization_id, user_id=own.user_id) as session:
        for number, turn in enumerate(turns_in_order(60)):
            session.add(
                Message(
                    id=turn,
                    turn_id=turn,
                    conversation_id=conversation,
                    organization_id=own.organization_id,
                    user_id=own.user_id,
                    role="user",
                    text=f"Question {number}.",
                )
            )
    html = await page(browser, f"/chat/{conversation}")
    assert "Question 59." in html
    assert "Question 9." not in html
    link = re.search(r'href="(\?before=[^"]+)"', html)[1]
    html = await page(browser, f"/chat/{conversation}{link}")
    assert "Question 9." in html
    assert "Question 10." not in html


async def test_the_list_leads_to_older_conversations(browser, model):
    own = {
        "organization_id": browser.someone.organization_id,
        "user_id": browser.someone.user_id,
    }
    async with db.transaction(**own) as session:
        for number, made in enumerate(turns_in_order(52)):
            session.add(Conversation(id=made, title=f"No. {number}", **own))
    html = await page(browser, "/chat")
    assert side(html)[0] == "No. 51"
    assert "No. 1" not in side(html)
    link = unescape(re.search(r'href="(\?after=[^"]+)"', html)[1])
    assert side(await page(browser, f"/chat{link}")) == ["No. 1", "No. 0"]


async def test_who_is_not_signed_in_goes_there_first(client):
    answer = await client.get("/chat", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Fchat")


async def test_a_model_suggests_a_title_and_one_that_gives_none_is_told_of(browser, model):
    model.behaviour = Behaviour(words=('{"title": "<b>Orchids</b>"}',))
    conversation = await browser.new()
    path = f"/chat/{conversation}/title"
    assert path not in await page(browser, f"/chat/{conversation}"), "nothing was said yet"
    await browser.ask(conversation, "How do I repot one?")
    assert path in await page(browser, f"/chat/{conversation}")
    assert (await post(browser, path)).status_code == 303
    assert side(await page(browser, "/chat")) == ["<b>Orchids</b>"]
    model.behaviour = Behaviour(words=("Orchids.",))
    assert (await post(browser, path)).headers["location"] == f"/chat/{conversation}"
    assert "in the form that was asked for" in await page(browser, f"/chat/{conversation}")
    assert side(await page(browser, "/chat")) == ["<b>Orchids</b>"]
