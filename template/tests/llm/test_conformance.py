"""Every provider that the project has, over its own wire, behaves the same, also when it does not.

Each is set up by its settings and speaks to a server of its wire on a real socket.
"""

import asyncio
from contextlib import aclosing

import pytest

from app.llm import errors
from app.llm.port import BYTES_PER_TOKEN, Delta, Usage
from app.llm.steps import metering
from tests.factories import make_user
from tests.llm.behaviour import WORDS, Behaviour
from tests.llm.caller import Caller
from tests.llm.dialects import openai
from tests.llm.sides import ASK, BOTH, FOUND
from tests.usage.conftest import person_of

# The client reads ahead until twice its buffer is full; the last of it may be a whole socket's.
ONE_READ = 2 * 2**16 + 2**18


@BOTH
async def test_the_words_the_usage_and_the_reason(side, streamed):
    said, finish = await side.answer(streamed=streamed)

    assert said == "".join(WORDS)
    assert finish.usage == Usage(20, 10)
    assert finish.reason == "stop"
    assert finish.unread == frozenset()


@BOTH
@pytest.mark.parametrize("reason", ["length", "content_filter"])
async def test_why_an_answer_ended_is_told_in_the_same_words(side, reason, streamed):
    side.server.behaviour = Behaviour(finish=reason)
    _, finish = await side.answer(streamed=streamed)

    assert finish.reason == reason


async def test_the_question_arrives_with_its_roles_and_limits(side):
    await side.answer()
    raw = side.server.requests[0].raw.decode()

    order = [raw.index(one) for one in ("Who are you?", "A model.", "Whose?")]
    assert order == sorted(order)
    assert "Be kind." in raw
    assert "2048" in raw
    assert "temperature" not in raw


@pytest.mark.parametrize("piece", [1, 7, 0])
async def test_however_the_bytes_are_cut_the_text_is_whole(side, piece):
    side.server.behaviour = Behaviour(words=("Grüße ", "🙂🙂", "日本語"), piece=piece)
    said, finish = await side.answer()

    assert said == "Grüße 🙂🙂日本語"
    assert finish.usage == Usage(20, 3)


async def test_a_huge_answer_arrives_whole(side):
    words = tuple("ä" * 4000 for _ in range(300))
    side.server.behaviour = Behaviour(words=words)
    said, _ = await side.answer()

    assert said == "".join(words)


async def test_words_arrive_while_the_model_still_writes(side):
    go_on = asyncio.Event()
    side.server.behaviour = Behaviour(hold=go_on, hold_after=5)
    said = ""
    async with asyncio.timeout(30), aclosing(side.provider.stream(ASK)) as events:
        async for event in events:
            said += event.text if isinstance(event, Delta) else ""
            if WORDS[0] in said:  # It still holds back the other half.
                go_on.set()

    assert said == "".join(WORDS)


async def test_connections_are_kept(side):
    await side.answer()
    before = side.server.connections
    for _ in range(4):
        await side.answer()

    assert side.server.connections == before


async def test_who_leaves_ends_the_call_at_the_provider(side):
    side.server.behaviour = Behaviour(words=WORDS * 100, gap=0.005)
    async with aclosing(side.provider.stream(ASK)) as events:
        await anext(events)

    async with asyncio.timeout(30):
        await side.server.aborted.wait()


REFUSED = {
    "throttled": errors.ModelThrottled,
    "down": errors.ModelDown,
    "busy": errors.ModelDown,
    "no json": errors.ModelDown,
    "wrong key": errors.KeyRefused,
    "no money": errors.ModelQuotaSpent,
    "unknown model": errors.ModelUnknown,
    "too long": errors.ContextTooLong,
    "filtered": errors.ContentRefused,
    "refused": errors.RequestRefused,
}


@BOTH
@pytest.mark.parametrize("why", REFUSED)
async def test_a_refusal_is_the_same_problem_everywhere(side, why, streamed):
    if why not in side.refusals:
        pytest.skip("This provider has no such refusal.")
    status, headers, body = side.refusals[why]
    given = {"status": status, "headers": headers, "error": body}
    problem = await side.refused(REFUSED[why], streamed=streamed, **given)

    assert not errors.billed(problem)
    if why == "throttled":
        assert int(problem.headers["Retry-After"]) in {6, 7}


async def test_who_gives_up_before_the_first_word_has_refused(side):
    if FOUND[side.name] is openai:
        pytest.skip("OpenAI's wire has no word for it.")
    problem = await side.refused(errors.ModelDown, error_after=0)

    assert not errors.billed(problem)


@pytest.mark.parametrize("cut", [0, 1, 5])
async def test_a_cut_answer_is_told_and_may_cost(side, cut):
    problem = await side.refused(errors.AnswerCut, cut_after=cut, gap=0.002)

    assert errors.billed(problem)


async def test_who_gives_up_in_the_middle_has_cut_the_answer(side):
    problem = await side.refused(errors.AnswerCut, error_after=3, gap=0.02)

    assert errors.billed(problem)


async def test_an_answer_without_its_end_is_cut(side):
    await side.refused(errors.AnswerCut, finish=None, done=False)


async def test_what_belongs_into_no_stream_is_malformed(side):
    await side.refused(errors.AnswerMalformed, garbage_after=2)


@BOTH
async def test_an_address_that_is_no_provider_names_the_setting(side, streamed):
    problem = await side.refused(
        errors.ModelMisconfigured, streamed=streamed, content_type="text/html"
    )
    assert "LLM_BASE_URL" in problem.detail


async def test_a_redirect_is_not_followed(side):
    await side.refused(
        errors.ModelMisconfigured, status=302, headers={"Location": side.server.url}, error=b""
    )
    assert len(side.server.requests) == 1


async def test_nobody_there_names_the_setting(side, configure):
    await side.answer()  # Vertex gets its token from the same server.
    configure(LLM_BASE_URL="http://127.0.0.1:9/v1")
    with pytest.raises(errors.ModelUnreachable, match="LLM_BASE_URL"):
        await side.answer()


@BOTH
@pytest.mark.parametrize("usage", [None, ("many", 3), (-1, 3), (1 << 60, 3), (True, 3)])
async def test_usage_is_believed_only_when_it_is_numbers(side, usage, streamed):
    side.server.behaviour = Behaviour(usage=usage)
    _, finish = await side.answer(streamed=streamed)

    assert finish.usage is None


# Through the gateway: what it costs, and that nothing stays reserved.


@pytest.fixture
async def caller(app, side) -> Caller:
    return Caller(person_of(await make_user(password=False)))


COSTS = {
    "well": ({}, None, "settled"),
    "silent": ({"silent": True}, errors.ModelTooSlow, "settled"),
    "cut": ({"cut_after": 5, "gap": 0.002}, errors.AnswerCut, "settled"),
    "hangs": ({"hang_after": 5}, errors.ModelTooSlow, "settled"),
    "slow": ({"gap": 0.2}, errors.ModelTooSlow, "settled"),
    "garbage": ({"garbage_after": 5}, errors.AnswerMalformed, "settled"),
    "gives up": ({"error_after": 5, "gap": 0.02}, errors.AnswerCut, "settled"),
    "lies high": ({"usage": (10**9, 10**9)}, None, "settled"),
    "throttled": ({}, errors.ModelThrottled, "released"),
    "down": ({}, errors.ModelDown, "released"),
    "wrong key": ({}, errors.KeyRefused, "released"),
}


@pytest.mark.parametrize("what", COSTS)
async def test_what_a_call_costs(caller, side, configure, what):
    behaviour, problem, state = COSTS[what]
    patience = 0.4 if what == "silent" else 30
    configure(LLM_FIRST_TOKEN_SECONDS=patience, LLM_MAX_OUTPUT_TOKENS=200, LLM_RETRIES=0)
    if what in ("hangs", "slow"):
        configure(LLM_DEADLINE_SECONDS=0.5)
    if what in side.refusals:
        status, headers, body = side.refusals[what]
        behaviour = {"status": status, "headers": headers, "error": body}
    side.server.behaviour = Behaviour(**behaviour)
    if problem:
        await caller.refused(problem)
    else:
        await caller.ask()

    entry = await caller.entry()
    assert entry.state == state
    assert (entry.input_tokens > 0) == (state == "settled")
    assert 0 <= entry.output_tokens <= 200
    assert await caller.reserved() == 0
    # Nobody goes on working for an answer that nobody waits for. On a busy machine the deadline may
    # pass before anything was asked.
    if what in ("hangs", "slow") and side.server.requests:
        async with asyncio.timeout(30):
            await side.server.aborted.wait()


async def test_who_never_ends_is_left_and_lies_about_it_are_not_believed(caller, side, configure):
    configure(LLM_MAX_OUTPUT_TOKENS=200)
    side.server.behaviour = Behaviour(words=("word " * 50,) * 40_000, usage=(20, 9))
    _, done = await caller.ask()

    assert done.finish_reason == "length"
    async with asyncio.timeout(30):
        await side.server.aborted.wait()
    entry = await caller.entry()
    # What was read is booked: up to the limit, and what one more read may bring.
    read_at_most = 200 * metering.MOST_BYTES_PER_TOKEN + ONE_READ
    assert 200 < entry.output_tokens <= -(-read_at_most // BYTES_PER_TOKEN)
    assert entry.estimated
    assert await caller.reserved() == 0
