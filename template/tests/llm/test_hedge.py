"""A model that says nothing is asked a second time: who answers, what it costs, and when not."""

import asyncio
from collections import defaultdict
from contextlib import aclosing
from dataclasses import replace

import pytest

from app.core import metrics
from app.llm import circuit, errors, gateway, settling
from app.llm.port import Ask, Message
from app.llm.settings import LLMSettings
from app.llm.steps import hedge, queue, routing
from tests.llm.wire_server import WORDS, Behaviour, running
from tests.usage.conftest import limit

SILENT = Behaviour(silent=True)


def in_turn(*behaviours: Behaviour):
    """Each request gets the next; the last one stays."""
    left = list(behaviours)
    return lambda _: left.pop(0) if left[1:] else left[0]


def held(*behaviours: Behaviour):
    """The first is held until the second is asked, however long that takes."""
    first, second = behaviours
    asked = asyncio.Event()
    left = [replace(first, hold=asked), second]

    def choose(_):
        if len(left) == 1:
            asked.set()
        return left.pop(0)

    return choose


@pytest.fixture
def hedges(caller, configure, monkeypatch):
    """On for every call."""
    monkeypatch.setattr(hedge, "_left", defaultdict(int))
    on = {
        "LLM_HEDGE_SECONDS": 0.15,
        "LLM_HEDGE_PERCENT": 100,
        "LLM_RETRIES": 0,
        "LLM_MODEL": "gpt-6-sol",
    }

    def set_hedges(**more):
        configure(**on | more)

    set_hedges()
    return set_hedges


@pytest.fixture
async def second(caller, configure):
    async with running() as server:
        configure(
            LLM_FALLBACK_PROVIDER="vllm",
            LLM_FALLBACK_BASE_URL=server.url,
            LLM_FALLBACK_MODEL="spare",
        )
        yield server


async def entries(caller):
    """That of the call, and that of the request that gave no answer."""
    await settling.drain()
    assert await caller.reserved() == 0
    found = await caller.entries()
    assert {one.state for one in found} <= {"settled", "released"}
    lost = [one for one in found if one.outcome == "hedge"]
    [own] = [one for one in found if one.outcome != "hedge"]
    return own, *lost


async def test_nobody_is_asked_twice_unless_a_setting_says_so(caller, wire_server):
    wire_server.behaviour = Behaviour(first_after=0.5)
    _, done = await caller.ask()

    assert len(wire_server.requests) == 1
    assert "hedge" not in done.notes


async def test_a_quick_answer_is_asked_for_once(caller, wire_server, hedges):
    hedges(LLM_HEDGE_SECONDS=5)
    _, done = await caller.ask()

    assert len(wire_server.requests) == 1
    assert "hedge" not in done.notes
    assert len(await entries(caller)) == 1


async def test_the_second_request_answers_and_the_first_is_ended_and_booked(
    caller, wire_server, hedges
):
    wire_server.choose = in_turn(SILENT, Behaviour())
    shown, done = await caller.ask()

    assert shown == "".join(WORDS)
    assert done.notes["hedge"] == {"asked": "compatible", "answered": "second"}
    assert "fallback" not in done.notes
    async with asyncio.timeout(5):
        await wire_server.aborted.wait()
    own, lost = await entries(caller)
    assert (own.input_tokens, own.output_tokens, own.outcome) == (20, len(WORDS), "answered")
    # What it may bill: the question, by our own count.
    assert lost.state == "settled"
    assert lost.estimated
    assert lost.input_tokens > 0 == lost.output_tokens
    assert lost.microdollars > 0
    assert (await caller.event()).detail["hedge"]["answered"] == "second"
    assert 'app_model_hedges_total{provider="compatible",answered="second"}' in metrics.exposition()


async def test_the_first_may_still_be_the_one_that_answers(caller, wire_server, hedges):
    wire_server.choose = held(Behaviour(), SILENT)
    shown, done = await caller.ask()

    assert shown == "".join(WORDS)
    assert done.notes["hedge"]["answered"] == "first"
    async with asyncio.timeout(5):
        await wire_server.aborted.wait()
    own, lost = await entries(caller)
    assert own.output_tokens == len(WORDS)
    assert lost.input_tokens > 0 == lost.output_tokens


async def test_the_second_provider_may_be_the_one_that_is_asked_and_it_is_told(
    caller, wire_server, second, hedges
):
    hedges(LLM_HEDGE_WITH="fallback")
    wire_server.behaviour = SILENT
    shown, done = await caller.ask()

    assert shown == "".join(WORDS)
    assert (done.provider, done.model) == ("vllm", "spare")
    assert done.notes["hedge"] == {"asked": "vllm", "answered": "second"}
    assert done.notes["fallback"]["instead_of"] == "compatible"
    own, lost = await entries(caller)
    assert (own.provider, own.model, own.microdollars) == ("vllm", "spare", 0)
    assert (lost.provider, lost.model) == ("compatible", "gpt-6-sol")
    assert lost.microdollars > 0


async def test_a_first_that_fails_meanwhile_loses_to_the_second_and_bills_nothing(
    caller, wire_server, hedges
):
    wire_server.choose = held(Behaviour(status=500), Behaviour(first_after=0.5))
    shown, done = await caller.ask()

    assert shown == "".join(WORDS)
    assert done.notes["hedge"]["answered"] == "second"
    _, lost = await entries(caller)
    assert (lost.state, lost.input_tokens) == ("released", 0)


async def test_when_both_fail_the_first_ones_problem_is_told(caller, wire_server, hedges):
    wire_server.choose = held(Behaviour(status=500, first_after=0.2), Behaviour(status=401))
    await caller.refused(errors.ModelDown)

    own, lost = await entries(caller)
    assert (own.state, lost.state) == ("released", "released")
    assert (await caller.event()).detail["hedge"]["answered"] == "none"


async def test_who_is_refused_for_the_question_is_not_rescued_by_the_second(
    caller, wire_server, hedges
):
    refusal = {"error": {"code": "content_filter"}}
    wire_server.choose = held(Behaviour(status=400, error=refusal), SILENT)
    await caller.refused(errors.ContentRefused)

    await entries(caller)


async def test_what_breaks_off_after_the_second_has_begun_is_told_and_booked(
    caller, wire_server, hedges
):
    wire_server.choose = in_turn(SILENT, Behaviour(cut_after=5, gap=0.02))
    assert await caller.shown_until(errors.AnswerCut)

    own, lost = await entries(caller)
    assert own.output_tokens > 0
    assert lost.output_tokens == 0
    # The breaker hears of it: it was the one that answered.
    assert circuit.of(routing.provider())._recent[-1][1] is False


async def test_who_leaves_ends_both(caller, wire_server, hedges):
    wire_server.behaviour = SILENT
    asking = asyncio.create_task(caller.ask())
    async with asyncio.timeout(10):
        while len(wire_server.requests) < 2:
            await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    async with asyncio.timeout(5):
        while wire_server.at_once:
            await asyncio.sleep(0.01)
    own, lost = await entries(caller)
    assert own.input_tokens == lost.input_tokens > 0


async def test_who_leaves_in_the_middle_of_the_seconds_answer_ends_it(caller, wire_server, hedges):
    wire_server.choose = in_turn(SILENT, Behaviour(hang_after=3))
    ask = Ask([Message("user", "Who are you?")], feature="test")
    async with aclosing(gateway.answer(caller.person, ask)) as events:
        await anext(events)

    async with asyncio.timeout(5):
        while wire_server.at_once:
            await asyncio.sleep(0.01)
    own, lost = await entries(caller)
    assert own.output_tokens > 0 == lost.output_tokens
    places = queue._queues[asyncio.get_running_loop()]
    assert places[circuit.of(routing.provider())].running == 0


# When nobody is asked a second time.


async def test_no_more_than_a_share_of_calls_is_asked_twice(caller, wire_server, hedges):
    hedges(LLM_HEDGE_PERCENT=10, LLM_HEDGE_SECONDS=0.02)
    for number in range(1, 31):
        # Each tenth call may ask twice, and no word comes before it has.
        first = SILENT if number % 10 == 0 else Behaviour(first_after=0.1)
        wire_server.choose = in_turn(first, Behaviour())
        async with asyncio.timeout(20):
            await caller.ask()

    assert len(wire_server.requests) == 33


async def test_who_is_left_alone_is_not_asked_besides(caller, wire_server, second, hedges):
    hedges(LLM_HEDGE_WITH="fallback")
    for _ in range(LLMSettings.load().breaker_failures):
        circuit.of(routing.fallback()).failed()
    await circuit.settled()
    wire_server.behaviour = Behaviour(first_after=0.5)
    await caller.ask()

    assert second.requests == []
    [_] = await entries(caller)  # Nor was anything set aside for it.


async def test_who_has_no_room_is_not_asked_besides(caller, wire_server, hedges):
    hedges(LLM_CALLS_AT_ONCE=1)
    wire_server.behaviour = Behaviour(first_after=0.5)
    await caller.ask()

    assert len(wire_server.requests) == 1


async def test_waiting_for_a_place_is_no_silence_of_the_model(caller, wire_server, second, hedges):
    hedges(LLM_HEDGE_WITH="fallback", LLM_CALLS_AT_ONCE=1)
    hedges(LLM_HEDGE_SECONDS=1, LLM_QUEUE_SECONDS=60)
    wire_server.behaviour = Behaviour(first_after=0.3)
    await asyncio.gather(*(caller.ask() for _ in range(5)))

    assert second.requests == []


async def test_a_budget_for_one_is_enough_for_one_and_no_refusal(caller, wire_server, hedges):
    wire_server.choose = in_turn(SILENT, Behaviour())
    await caller.ask()
    first, lost = await entries(caller)
    spent = first.microdollars + lost.microdollars
    await limit(caller.person, microdollars_per_month=spent + first.reserved_microdollars * 3 // 2)
    wire_server.choose = in_turn(Behaviour(first_after=0.5), Behaviour())
    shown, done = await caller.ask()

    assert shown == "".join(WORDS)
    assert "hedge" not in done.notes
    assert len(wire_server.requests) == 3
    assert await caller.reserved() == 0
    assert await caller.refusals() == 0


@pytest.mark.parametrize(
    "more",
    [{"read_by_people": False}, {"model": "other"}, {"options": {"web_search_options": {}}}],
    ids=["nobody waits", "a model is named", "further fields"],
)
async def test_only_what_a_person_waits_for_is_asked_twice(caller, wire_server, hedges, more):
    wire_server.behaviour = Behaviour(first_after=0.5)
    await caller.ask(**more)

    assert len(wire_server.requests) == 1
