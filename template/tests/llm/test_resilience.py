"""Retries, the queue and the second provider, as the gateway's callers meet them."""

import asyncio
from contextlib import suppress

import pytest

from app.llm import errors
from app.llm.settings import FallbackSettings
from app.llm.steps import queue as queues
from app.llm.steps import routing
from app.usage.prices import price_of
from tests.llm.wire_server import WORDS, Behaviour, running

GONE = "http://127.0.0.1:9/v1"


def in_turn(*behaviours: Behaviour):
    """Each request gets the next; the last one stays."""
    left = list(behaviours)
    return lambda _: left.pop(0) if left[1:] else left[0]


@pytest.fixture
async def second(caller, configure):
    async with running() as server:
        configure(
            LLM_FALLBACK_PROVIDER="vllm",
            LLM_FALLBACK_BASE_URL=server.url,
            LLM_FALLBACK_MODEL="spare",
        )
        yield server


# Retries.


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_what_fails_for_a_moment_is_asked_again(caller, wire_server, status):
    wire_server.choose = in_turn(Behaviour(status=status), Behaviour(status=status), Behaviour())
    shown, done = await caller.ask()

    assert shown == "".join(WORDS)
    assert done.notes["retries"] == {"times": 2}
    assert len(await caller.entries()) == 1
    assert await caller.reserved() == 0


async def test_who_asks_us_to_wait_is_given_the_time(caller, wire_server):
    headers = {"Retry-After": "1"}
    wire_server.choose = in_turn(Behaviour(status=429, headers=headers), Behaviour())
    clock = asyncio.get_running_loop().time
    began = clock()
    await caller.ask()

    assert clock() - began >= 1


@pytest.mark.parametrize(
    ("behaviour", "problem"),
    [
        ({"status": 429, "headers": {"Retry-After": "30"}}, errors.ModelThrottled),
        ({"status": 401}, errors.KeyRefused),
        ({"status": 400}, errors.RequestRefused),
        ({"cut_after": 0, "gap": 0.01}, errors.AnswerCut),
        ({"cut_after": 5, "gap": 0.01}, errors.AnswerCut),
    ],
)
async def test_what_cannot_help_or_may_be_paid_is_asked_once(
    caller, wire_server, behaviour, problem
):
    wire_server.behaviour = Behaviour(**behaviour)
    await caller.refused(problem)

    assert len(wire_server.requests) == 1


async def test_no_retry_goes_past_the_deadline(caller, wire_server, configure):
    configure(LLM_DEADLINE_SECONDS=1.2, LLM_RETRIES=9)
    wire_server.behaviour = Behaviour(status=503, headers={"Retry-After": "1"})
    await caller.refused(errors.ModelDown)

    assert len(wire_server.requests) == 1


async def test_an_overloaded_provider_is_not_asked_three_times_as_often(
    caller, wire_server, configure
):
    configure(LLM_BREAKER_FAILURES=0, LLM_RETRIES=1)
    wire_server.behaviour = Behaviour(status=503)
    for _ in range(30):
        await caller.refused(errors.ModelDown)

    # Ten at once, and a tenth of all.
    assert 40 <= len(wire_server.requests) <= 43


# The second provider.


@pytest.mark.parametrize(
    "behaviour",
    [
        {"status": 500},
        {"status": 401},
        {"status": 429, "headers": {"Retry-After": "30"}},
        {"silent": True},
        {"cut_after": 0, "gap": 0.01},
        {"garbage_after": 0},
    ],
    ids=["down", "wrong key", "throttled", "silent", "cut", "garbage"],
)
async def test_the_second_provider_answers_and_what_the_first_took_is_booked(
    caller, wire_server, second, configure, behaviour
):
    configure(LLM_FIRST_TOKEN_SECONDS=2, LLM_RETRIES=0)
    wire_server.behaviour = Behaviour(**behaviour)
    shown, done = await caller.ask()

    assert shown == "".join(WORDS)
    assert (done.provider, done.model) == ("vllm", "spare")
    assert done.notes["fallback"]["instead_of"] == "compatible"
    entry = await caller.entry()
    assert (entry.provider, entry.model, entry.state) == ("vllm", "spare", "settled")
    # vLLM costs nothing: what is booked is the question that the first one took and may bill.
    may_bill = not {"status"} & behaviour.keys()
    assert (entry.microdollars > 0) == may_bill
    assert (await caller.event()).detail["fallback"]["instead_of"] == "compatible"
    assert await caller.reserved() == 0


async def test_after_the_first_word_nobody_else_is_asked(caller, wire_server, second):
    wire_server.behaviour = Behaviour(cut_after=5, gap=0.01)
    await caller.refused(errors.AnswerCut)

    assert second.requests == []


@pytest.mark.parametrize("error", [{"code": "content_filter"}, {"code": "context_length_exceeded"}])
async def test_a_question_that_was_refused_is_taken_nowhere_else(
    caller, wire_server, second, error
):
    wire_server.behaviour = Behaviour(status=400, error={"error": error})
    with pytest.raises((errors.ContentRefused, errors.ContextTooLong)):
        await caller.ask()

    assert second.requests == []


async def test_the_dearer_of_the_two_is_set_aside(caller, wire_server, configure):
    # The first is free, the second has a price.
    configure(
        LLM_PROVIDER="vllm",
        LLM_FALLBACK_PROVIDER="compatible",
        LLM_FALLBACK_BASE_URL=wire_server.url,
        LLM_FALLBACK_MODEL="gpt-6-sol",
        LLM_MAX_OUTPUT_TOKENS=1000,
    )
    await caller.ask()

    entry = await caller.entry()
    assert entry.provider == "vllm"
    assert entry.reserved_microdollars >= price_of("compatible", "gpt-6-sol").cost(0, 1000)
    assert entry.microdollars == 0


async def test_what_does_not_fit_the_second_model_is_not_asked_there(
    caller, wire_server, second, configure
):
    configure(LLM_FALLBACK_CONTEXT_TOKENS=256, LLM_BASE_URL=GONE, LLM_RETRIES=0)
    await caller.refused(errors.ModelUnreachable)

    assert second.requests == []


def test_the_second_provider_keeps_data_where_the_first_does(configure):
    configure(LLM_REGION="eu", LLM_FALLBACK_PROVIDER="openai", LLM_FALLBACK_API_KEY="k")
    assert routing.fallback().address == "https://eu.api.openai.com/v1"

    configure(LLM_FALLBACK_PROVIDER="vllm", LLM_FALLBACK_MODEL="", LLM_FALLBACK_BASE_URL="")
    assert routing.fallback() is None
    assert FallbackSettings.load().production_problems() == [
        "LLM_FALLBACK_BASE_URL must be set for the model provider.",
        "LLM_FALLBACK_MODEL must be set for the model provider.",
    ]
    configure(LLM_FALLBACK_PROVIDER="stand_in")
    assert FallbackSettings.load().production_problems() != []


# The queue.


async def test_places_are_given_back_however_a_call_ends(caller, wire_server, configure):
    configure(LLM_CALLS_AT_ONCE=1, LLM_RETRIES=0, LLM_BREAKER_FAILURES=0)
    for behaviour in (
        {"status": 500},
        {"cut_after": 3, "gap": 0.01},
        {"garbage_after": 2},
        {},
    ):
        wire_server.behaviour = Behaviour(**behaviour)
        with suppress(errors.Problem):
            await caller.ask()
    task = asyncio.create_task(caller.ask())
    wire_server.behaviour = Behaviour(words=WORDS * 100, gap=0.01)
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    wire_server.behaviour = Behaviour()
    async with asyncio.timeout(30):
        await caller.ask()


async def test_who_leaves_while_waiting_keeps_no_place(configure):
    configure(LLM_CALLS_AT_ONCE=1, LLM_QUEUE_LENGTH=2)
    queue = queues.Queue()
    await queue.enter()
    waiting = [asyncio.create_task(queue.enter()) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(errors.ModelBusy) as caught:
        await queue.enter()
    assert int(caught.value.headers["Retry-After"]) == 3 * queues.FIRST_GUESS

    waiting[0].cancel()
    await asyncio.sleep(0)
    queue.leave(1.0)
    await waiting[1]
    queue.leave(1.0)
    assert queue.running == 0


async def test_nobody_waits_longer_than_the_settings_say(configure):
    configure(LLM_CALLS_AT_ONCE=1, LLM_QUEUE_SECONDS=6)
    queue = queues.Queue()
    await queue.enter()
    queue.seconds = 0.01
    configure(LLM_CALLS_AT_ONCE=1, LLM_QUEUE_SECONDS=0.1)
    with pytest.raises(errors.ModelBusy):
        await queue.enter()
    # A wait that is known to be too long is not begun.
    queue.seconds = 60
    with pytest.raises(errors.ModelBusy):
        async with asyncio.timeout(0.05):
            await queue.enter()
