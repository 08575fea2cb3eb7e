"""A conversation outgrows the window: what is older is summarised, and that is told."""

import pytest
from sqlalchemy import text

from app.core import db
from app.modules import has
from app.prompts.lifespan import ready
from tests.asking import text_of
from tests.llm.wire_server import Behaviour

SUMMARY = "Ada wants 40 chairs by the ninth of March. The green ones are out of stock."
FILLER = "Please note this down word by word, it matters for what follows later on. " * 8


@pytest.fixture
async def talk(browser, model, configure):
    """Someone in a conversation whose model has a small window."""
    await ready()
    configure(LLM_CONTEXT_TOKENS=1400, LLM_MAX_OUTPUT_TOKENS=200, ASSISTANT_MEMORY_TOKENS=200)

    def choose(request):
        is_summary = "keep the memory" in request.body["messages"][0]["content"]
        return Behaviour(words=(SUMMARY,) if is_summary else ("Noted.",))

    model.choose = choose
    return await browser.new()


def summaries(model):
    return [one for one in model.requests if "keep the memory" in said(one)[0]]


def said(request) -> list[str]:
    return [one["content"] for one in request.body["messages"]]


async def test_older_messages_are_summarised_told_and_never_lost_silently(browser, model, talk):
    first = await browser.ask(talk, f"40 chairs by the ninth of March. {FILLER}")
    assert first[-1][1]["marks"] == []
    system = said(model.requests[0])[0]
    marks = []
    for number in range(2, 9):
        events = await browser.ask(talk, f"Message {number}. {FILLER}")
        marks.append(events[-1][1]["marks"])
        assert text_of(events) == "Noted."

    assert marks[0] == []
    assert marks[-1] == ["Older messages are summarised"]
    assert 0 < len(summaries(model)) < 4  # Not one for each turn.
    assert "40 chairs by the ninth of March." in said(summaries(model)[0])[-1]
    assert said(summaries(model)[-1])[-1].startswith(f"Memory so far:\n{SUMMARY}")
    last = said(model.requests[-1])
    assert last[0] == system  # Whole, however little room there is.
    assert last[2] == SUMMARY
    assert last[-1].startswith("Message 8.")
    assert "40 chairs by the ninth of March. Please" not in " ".join(last)
    # It is kept with the conversation, and nobody else sees it.
    if has("web"):
        page = await browser.client.get(f"/chat/{talk}", headers={"Accept": "text/html"})
        assert "Older messages are summarised" in page.text
    async with db.transaction(
        organization_id=browser.someone.organization_id, user_id=browser.someone.user_id
    ) as session:
        [(memory, until)] = await rows(session)
    assert memory == SUMMARY
    assert until is not None
    async with db.transaction(organization_id=browser.someone.organization_id) as session:
        assert await rows(session) == []


async def rows(session):
    return (await session.execute(text("SELECT memory, memory_until FROM conversations"))).all()


async def test_without_a_summary_the_answer_comes_and_says_what_it_does_not_know(
    browser, model, talk, configure
):
    configure(ASSISTANT_MEMORY_CALLS=0)
    for number in range(1, 6):
        events = await browser.ask(talk, f"Message {number}. {FILLER}")
    assert events[-1][1]["marks"] == ["Older messages were left out"]
    assert summaries(model) == []

    configure(ASSISTANT_MEMORY_CALLS=3, LLM_RETRIES=0, LLM_BREAKER_FAILURES=0)
    working = model.choose

    def choose(request):
        is_summary = "keep the memory" in said(request)[0]
        return Behaviour(status=503) if is_summary else working(request)

    model.choose = choose
    events = await browser.ask(talk, f"Message 6. {FILLER}")
    assert text_of(events) == "Noted."
    assert events[-1][1]["marks"] == ["Older messages were left out"]
    assert len(summaries(model)) == 1


async def test_a_question_that_fits_no_window_is_refused_and_not_cut(browser, model, talk):
    status, problem = await browser.refused(talk, FILLER * 20)
    assert (status, problem["type"]) == (413, "/problems/context-too-long")
    assert model.requests == []
