import asyncio
from collections.abc import AsyncGenerator

import pytest

from app.core.direct import Direct
from app.core.errors import Problem
from app.core.ids import uuid7
from app.llm.draft import Draft, Keep, Outcome
from app.llm.errors import AnswerCut, AnswerWithheld, QuestionRefused
from app.llm.port import Delta, Done, Source, Usage
from app.llm.streaming import streamed
from tests.factories import Someone
from tests.usage.conftest import person_of

DONE = Done(
    call_id=uuid7(),
    provider="compatible",
    model="small-1",
    stand_in=False,
    finish_reason="stop",
    usage=Usage(3, 2),
    cost_microdollars=5,
    price_known=True,
)


def draft(keep: Keep) -> Draft:
    """Shown to somebody, and not given to a gateway."""
    return Draft(person_of(Someone(uuid7(), uuid7(), "ada@example.com", "member")), keep)


async def answer(*steps: object) -> AsyncGenerator[Delta | Done, None]:
    """What a gateway gives: words, a Done, or a problem."""
    for step in steps:
        match step:
            case str():
                yield Delta(step)
            case Done():
                yield step
            case BaseException():
                raise step


async def read(*steps: object) -> tuple[list[tuple[str, object]], list[Outcome], Problem | None]:
    """The events of an answer, what was kept of it, and the problem that ended it."""
    kept: list[Outcome] = []
    events: list[tuple[str, object]] = []

    async def keep(_: Direct, outcome: Outcome) -> None:
        assert ("done" not in dict(events)) or not kept
        kept.append(outcome)

    try:
        async for event in streamed(answer(*steps), draft(keep)):
            events.append(event)  # noqa: PERF401 kept when a problem comes
    except Problem as problem:
        return events, kept, problem
    return events, kept, None


async def test_words_come_one_by_one_and_are_kept_together():
    events, kept, problem = await read("Good ", "morning.", DONE)
    assert problem is None
    assert events[:2] == [("delta", {"text": "Good "}), ("delta", {"text": "morning."})]
    assert events[2][0] == "done"
    assert events[2][1] == {
        "call_id": DONE.call_id,
        "model": "small-1",
        "provider": "compatible",
        "stand_in": False,
        "fallback": False,
        "finish_reason": "stop",
        "degraded": None,
        "marks": [],
    }
    assert kept == [Outcome("complete", "Good morning.", DONE.call_id, DONE)]


async def test_it_is_done_only_when_it_is_kept():
    order = []

    async def keep(*_: object) -> None:
        order.append("kept")

    async for name, _ in streamed(answer("Yes.", DONE), draft(keep)):
        order.append(name)
    assert order == ["delta", "kept", "done"]


async def test_sources_come_before_the_end_and_are_kept():
    source = Source(path="docs/a.md", title="A", quote="It is so.")
    done = Done(**{name: getattr(DONE, name) for name in DONE.__slots__} | {"sources": (source,)})
    events, kept, _ = await read("So.", done)
    told = [{"title": "A", "path": "docs/a.md", "quote": "It is so."}]
    assert events[1] == ("sources", {"sources": told})
    assert kept[0].details["sources"] == told


async def test_a_stream_that_breaks_keeps_what_came_and_tells_the_problem():
    events, kept, problem = await read("Half of ", AnswerCut("The answer broke off."))
    assert events == [("delta", {"text": "Half of "})]
    assert kept == [Outcome("interrupted", "Half of ")]
    assert isinstance(problem, AnswerCut)


async def test_a_call_that_never_began_is_kept_as_empty():
    events, kept, problem = await read(AnswerCut("The answer broke off."))
    assert events == []
    assert kept == [Outcome("interrupted", "")]
    assert problem is not None


async def test_a_question_that_is_refused_is_told_apart_from_an_answer_that_failed():
    _, kept, problem = await read(QuestionRefused("This cannot be asked."))
    assert kept == [Outcome("refused", "")]
    assert isinstance(problem, QuestionRefused)


async def test_a_withheld_answer_is_replaced_by_a_sentence():
    events, kept, problem = await read("The key is ", AnswerWithheld("This was withheld."))
    assert problem is None
    assert events[1] == ("replace", {"text": "This was withheld."})
    assert events[2][0] == "done"
    assert kept == [Outcome("withheld", "This was withheld.")]


async def test_what_nobody_expected_is_kept_and_raised():
    kept = []

    async def keep(_: Direct, outcome: Outcome) -> None:
        kept.append(outcome)

    with pytest.raises(ZeroDivisionError):
        async for _ in streamed(answer("One ", ZeroDivisionError()), draft(keep)):
            pass
    assert kept == [Outcome("interrupted", "One ")]


async def test_whoever_leaves_closes_the_call_and_keeps_what_came():
    closed, kept = [], []

    async def endless() -> AsyncGenerator[Delta | Done, None]:
        try:
            while True:
                yield Delta("word ")
        finally:
            closed.append(True)

    async def keep(_: Direct, outcome: Outcome) -> None:
        await asyncio.sleep(0)
        kept.append((outcome.state, outcome.text, bool(closed)))

    events = streamed(endless(), draft(keep))
    await anext(events)
    await anext(events)
    await events.aclose()
    assert kept == [("interrupted", "word word ", True)]
