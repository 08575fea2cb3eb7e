"""The adapter against a provider on a real socket."""

import asyncio
from contextlib import aclosing

import pytest

from app.core.errors import Problem
from app.llm import errors
from app.llm.port import Ask, Delta, Finish, Message, Usage
from app.llm.providers.openai_wire import OpenAIWire
from tests.llm.wire_server import WORDS, Behaviour, WireServer

KEY = "sk-very-secret-0123456789abcdef"
ASK = Ask([Message("system", "Be kind."), Message("user", "Who are you?")], feature="test")


def wire(server: WireServer, **values) -> OpenAIWire:
    return OpenAIWire(**{"name": "compatible", "base_url": server.url, "model": "m"} | values)


async def read(provider: OpenAIWire, ask: Ask = ASK) -> tuple[str, Finish]:
    said, finish = "", None
    async with aclosing(provider.stream(ask)) as events:
        async for event in events:
            assert finish is None, "nothing follows the finish"
            if isinstance(event, Delta):
                said += event.text
            else:
                finish = event
    assert finish
    return said, finish


async def refused(server: WireServer, kind: type[Problem], **behaviour) -> Problem:
    server.behaviour = Behaviour(**behaviour)
    with pytest.raises(kind) as caught:
        await read(wire(server, key=KEY))
    assert type(caught.value) is kind
    assert KEY not in caught.value.detail
    return caught.value


async def test_a_stream_gives_the_words_and_the_usage(wire_server):
    said, finish = await read(wire(wire_server))

    assert said == "".join(WORDS)
    assert finish == Finish("stop", "m", Usage(20, 10))


async def test_one_piece_says_the_same(wire_server):
    answer = await wire(wire_server).complete(ASK)

    assert answer.text == "".join(WORDS)
    assert answer.finish == Finish("stop", "m", Usage(20, 10))
    assert "stream" not in wire_server.requests[0].body


async def test_the_request_says_only_what_was_asked(wire_server):
    await read(wire(wire_server, key=KEY))

    [request] = wire_server.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Who are you?"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_limits_and_further_options_are_sent(wire_server):
    ask = Ask(
        ASK.messages,
        feature="test",
        max_output_tokens=7,
        temperature=0.5,
        options={"response_format": {"type": "json_object"}},
    )
    await read(wire(wire_server, limit_field="max_completion_tokens"), ask)

    body = wire_server.requests[0].body
    assert body["max_completion_tokens"] == 7
    assert body["temperature"] == 0.5
    assert body["response_format"] == {"type": "json_object"}


async def test_azure_gets_its_key_in_its_own_header(wire_server):
    await read(wire(wire_server, key=KEY, key_header="api-key"))

    headers = wire_server.requests[0].headers
    assert headers["api-key"] == KEY
    assert "authorization" not in headers


@pytest.mark.parametrize(
    "behaviour",
    [
        {},
        {"piece": 1},
        {"piece": 3, "line_end": "\r\n"},
        {"comments": True},
        {"comments": True, "line_end": "\r\n", "gap": 0.002},
        {"content_type": "text/event-stream; charset=utf-8"},
    ],
)
async def test_however_it_is_framed_the_text_is_whole(wire_server, behaviour):
    wire_server.behaviour = Behaviour(words=("Grüße ", "🙂🙂", "日本語"), **behaviour)
    said, finish = await read(wire(wire_server))

    assert said == "Grüße 🙂🙂日本語"
    assert finish.usage == Usage(20, 3)


async def test_a_huge_answer_arrives_whole(wire_server):
    words = tuple("ä" * 4000 for _ in range(500))
    wire_server.behaviour = Behaviour(words=words)
    said, _ = await read(wire(wire_server))

    assert said == "".join(words)


async def test_connections_are_kept_between_calls(wire_server):
    for _ in range(5):
        await read(wire(wire_server))

    assert wire_server.connections == 1


async def test_leaving_early_ends_the_call_at_the_provider(wire_server):
    wire_server.behaviour = Behaviour(words=WORDS * 100, gap=0.005)
    async with aclosing(wire(wire_server).stream(ASK)) as events:
        await anext(events)

    async with asyncio.timeout(30):
        await wire_server.aborted.wait()


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ({"prompt_tokens": "many", "completion_tokens": 3}, None),
        ({"prompt_tokens": -1, "completion_tokens": 3}, None),
        ({"prompt_tokens": 1 << 60, "completion_tokens": 3}, None),
        ({"prompt_tokens": True, "completion_tokens": 3}, None),
        ({"prompt_tokens": 9}, None),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 3,
                "prompt_tokens_details": {"cached_tokens": 8},
            },
            Usage(9, 3, 8),
        ),
    ],
)
async def test_usage_is_believed_only_when_it_is_numbers(wire_server, usage, expected):
    wire_server.behaviour = Behaviour(usage=usage)
    _, finish = await read(wire(wire_server))

    assert finish.usage == expected


async def test_fields_that_nobody_reads_are_told(wire_server):
    wire_server.behaviour = Behaviour(
        extra={"reasoning_content": "hm", "audio": None},
        finish="tool_calls",
    )
    _, finish = await read(wire(wire_server))

    assert finish.unread == {"reasoning_content"}
    assert finish.reason == "tool_calls"


async def test_a_throttled_call_tells_how_long_to_wait(wire_server):
    problem = await refused(
        wire_server,
        errors.ModelThrottled,
        status=429,
        headers={"Retry-After": "17"},
        error={"error": {"message": f"slow down, {KEY}", "code": "rate_limit_exceeded"}},
    )
    assert problem.headers["Retry-After"] == "17"


async def test_milliseconds_to_wait_come_first(wire_server):
    problem = await refused(
        wire_server,
        errors.ModelThrottled,
        status=429,
        headers={"Retry-After": "60", "retry-after-ms": "1500"},
    )
    assert problem.headers["Retry-After"] == "2"


async def test_an_account_without_money_is_not_throttling(wire_server):
    await refused(
        wire_server,
        errors.ModelQuotaSpent,
        status=429,
        error={"error": {"code": "insufficient_quota"}},
    )


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_names_the_setting_and_not_the_key(wire_server, status):
    problem = await refused(
        wire_server,
        errors.KeyRefused,
        status=status,
        error={"error": {"message": f"Incorrect API key provided: {KEY}"}},
    )
    assert "LLM_API_KEY" in problem.detail


async def test_litellm_without_a_database_refuses_a_key_in_its_own_way(wire_server):
    await refused(
        wire_server,
        errors.KeyRefused,
        status=400,
        error={"error": {"message": "No connected db.", "type": "no_db_connection"}},
    )


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {"error": {"code": "context_length_exceeded"}}, errors.ContextTooLong),
        (
            400,
            {"object": "error", "message": "This model's maximum context length is 4096 tokens."},
            errors.ContextTooLong,
        ),
        (400, {"error": "prompt is too long"}, errors.ContextTooLong),
        (413, b"<html>", errors.ContextTooLong),
        (400, {"error": {"code": "content_filter"}}, errors.ContentRefused),
        (404, {"error": {"message": "no such model"}}, errors.ModelUnknown),
        (400, {"error": {"code": "model_not_found"}}, errors.ModelUnknown),
        (400, {"error": {"message": "Unsupported parameter"}}, errors.RequestRefused),
        (422, {"detail": [{"loc": ["body"]}]}, errors.RequestRefused),
        (400, [1, 2], errors.RequestRefused),
        (307, b"", errors.ModelMisconfigured),
        (500, {"error": {"message": "boom"}}, errors.ModelDown),
        (500, b"\xff\xfe not json", errors.ModelDown),
        (503, b"", errors.ModelDown),
        (529, b"", errors.ModelDown),
        (408, b"", errors.ModelDown),
    ],
)
async def test_every_refusal_becomes_a_problem_of_its_kind(wire_server, status, error, kind):
    problem = await refused(wire_server, kind, status=status, error=error)

    assert not errors.billed(problem)


@pytest.mark.asvs("15.3.2")
async def test_a_redirect_is_not_followed(wire_server):
    wire_server.choose = lambda _: Behaviour(
        status=302, headers={"Location": f"{wire_server.url}/elsewhere"}, error=b""
    )
    with pytest.raises(errors.ModelMisconfigured, match="LLM_BASE_URL"):
        await read(wire(wire_server, key=KEY))

    assert len(wire_server.requests) == 1


@pytest.mark.parametrize("cut", [0, 1, 5])
async def test_a_cut_stream_is_told_and_counts_as_billed(wire_server, cut):
    problem = await refused(wire_server, errors.AnswerCut, cut_after=cut, gap=0.001)

    assert errors.billed(problem)


async def test_a_stream_that_just_stops_is_cut(wire_server):
    await refused(wire_server, errors.AnswerCut, finish=None, done=False)


async def test_a_missing_done_is_forgiven_when_the_answer_was_finished(wire_server):
    wire_server.behaviour = Behaviour(done=False)
    said, finish = await read(wire(wire_server))

    assert (said, finish.reason) == ("".join(WORDS), "stop")


async def test_garbage_in_the_stream_is_malformed(wire_server):
    await refused(wire_server, errors.AnswerMalformed, garbage_after=2)


@pytest.mark.parametrize("extra", [{"content": ["x"]}, {"content": 7}])
async def test_an_answer_that_is_no_text_is_malformed(wire_server, extra):
    await refused(wire_server, errors.AnswerMalformed, extra=extra)


async def test_an_error_in_the_middle_is_told_without_the_providers_words(wire_server):
    problem = await refused(wire_server, errors.AnswerCut, error_after=3)

    assert "secret details" not in problem.detail


@pytest.mark.parametrize("kind", ["text/html", "application/json"])
async def test_an_address_that_is_no_provider_names_the_setting(wire_server, kind):
    problem = await refused(wire_server, errors.ModelMisconfigured, content_type=kind)

    assert "LLM_BASE_URL" in problem.detail


async def test_nobody_there_names_the_setting(wire_server):
    with pytest.raises(errors.ModelUnreachable, match="LLM_BASE_URL") as caught:
        await read(wire(wire_server, base_url="http://127.0.0.1:9/v1"))

    assert not errors.billed(caught.value)


async def test_a_line_without_an_end_is_malformed(wire_server):
    wire_server.behaviour = Behaviour(words=("x" * 3_000_000,))
    with pytest.raises(errors.AnswerMalformed):
        await read(wire(wire_server))
