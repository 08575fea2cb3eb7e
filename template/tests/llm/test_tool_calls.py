"""Tools over every wire: what is offered and sent back, what comes, and what comes broken."""

from dataclasses import replace

import orjson
import pytest

from app.llm import errors
from app.llm.port import Ask, Message, Offer, Shape, ToolCall, asked_tokens
from app.llm.wire import LARGEST_ARGUMENTS, MOST_CALLS
from tests.llm.behaviour import Behaviour
from tests.llm.sides import BOTH, FOUND

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [Offer("weather", "The weather of a city.", SCHEMA), Offer("time", "The time.", SCHEMA)]
ASK = Ask([Message("user", "Whose?")], feature="test", max_output_tokens=2048, tools=TOOLS)
CALLS = (("weather", '{"city": "Köln 🙂"}'), ("time", '{"city": "Rom"}'))


def calls(*made: tuple[str, str], words: tuple[str, ...] = (), **more) -> Behaviour:
    return Behaviour(**{"words": words, "calls": made, "finish": "tool_calls"} | more)


@BOTH
async def test_several_calls_at_once_arrive_with_their_arguments(side, streamed):
    side.server.behaviour = calls(*CALLS, words=("I look.",), piece=7 if streamed else 0)
    said, finish = await side.answer(streamed=streamed, ask=ASK)

    assert said == "I look."
    assert [(one.name, orjson.loads(one.arguments)) for one in finish.calls] == [
        (name, orjson.loads(given)) for name, given in CALLS
    ]
    assert len({one.id for one in finish.calls if one.id} | {""}) in {1, 3}, "their ids differ"
    assert finish.unread == frozenset()
    raw = side.server.requests[0].raw.decode()
    assert "The weather of a city." in raw
    assert "additionalProperties" in raw


async def test_calls_and_results_go_back_and_may_be_forbidden(side):
    side.server.behaviour = calls(*CALLS)
    _, finish = await side.answer(ask=ASK)
    numbered = [replace(one, id=f"call0000{at}") for at, one in enumerate(finish.calls)]
    said = [
        *ASK.messages,
        Message("assistant", "", calls=tuple(numbered)),
        *(
            Message("tool", f"It is {one.name}.", result_of=one, failed=one is numbered[1])
            for one in numbered
        ),
    ]
    side.server.behaviour = Behaviour()
    await side.answer(ask=replace(ASK, messages=said, may_call=False))

    body = side.server.requests[-1].body
    found = orjson.dumps(body).decode()
    order = [found.index(one) for one in ("Whose?", "Köln", "Rom", "It is weather.", "It is time.")]
    assert order == sorted(order)
    assert BACK[FOUND[side.name].__name__.rpartition(".")[2]](body)


def _openai(body) -> bool:
    _, asked, first, second = body["messages"]
    return (
        [one["id"] for one in asked["tool_calls"]]
        == [first["tool_call_id"], second["tool_call_id"]]
        and body["tool_choice"] == "none"
        and asked["role"] == "assistant"
        and first["role"] == second["role"] == "tool"
    )


def _anthropic(body) -> bool:
    _, asked, results = body["messages"]
    return (
        [one["id"] for one in asked["content"]]
        == [one["tool_use_id"] for one in results["content"]]
        and body["tool_choice"] == {"type": "none"}
        and results["role"] == "user"
        and [one.get("is_error") for one in results["content"]] == [None, True]
    )


def _gemini(body) -> bool:
    _, asked, results = body["contents"]
    return (
        asked["parts"][0]["thoughtSignature"] == "c2lnbmVk"
        and [one["functionResponse"]["name"] for one in results["parts"]] == ["weather", "time"]
        and [list(one["functionResponse"]["response"]) for one in results["parts"]]
        == [["output"], ["error"]]
        and body["toolConfig"]["functionCallingConfig"]["mode"] == "NONE"
    )


def _bedrock(body) -> bool:
    _, asked, results = body["messages"]
    return [one["toolUse"]["toolUseId"] for one in asked["content"]] == [
        one["toolResult"]["toolUseId"] for one in results["content"]
    ] and "toolConfig" in body


BACK = {"openai": _openai, "anthropic": _anthropic, "gemini": _gemini, "bedrock": _bedrock}


@pytest.mark.parametrize("wrong", ['{"city": ', "[1, 2]", "not json", ""])
async def test_wrong_json_comes_as_it_was_written(side, wrong):
    if not FOUND[side.name].Dialect.writes_arguments:
        pytest.skip("This wire sends objects.")
    side.server.behaviour = calls(("weather", wrong))
    _, finish = await side.answer(ask=ASK)

    assert finish.calls[0].arguments == (wrong or "{}")
    assert finish.calls[0].parsed == {}, "and goes back as an object"


async def test_huge_arguments_end_the_answer(side):
    huge = orjson.dumps({"city": "x" * (LARGEST_ARGUMENTS + 1)}).decode()
    side.server.behaviour = calls(("weather", huge), piece=4096)
    with pytest.raises(errors.AnswerMalformed):
        await side.answer(ask=ASK)


async def test_so_do_far_too_many_calls(side):
    side.server.behaviour = calls(*[("weather", "{}")] * (MOST_CALLS + 1))
    with pytest.raises(errors.AnswerMalformed):
        await side.answer(ask=ASK)


async def test_a_connection_cut_within_the_arguments_is_a_cut_answer(side):
    side.server.behaviour = calls(*CALLS * 4, cut_in_arguments=True)
    with pytest.raises(errors.AnswerCut):
        await side.answer(ask=ASK)


@BOTH
async def test_what_the_limit_cut_is_no_call(side, streamed):
    side.server.behaviour = calls(("weather", '{"city": "Rom"}'), finish="length")
    _, finish = await side.answer(streamed=streamed, ask=ASK)

    assert finish.calls == ()
    assert finish.reason == "length"


async def test_tools_and_calls_count_as_tokens(side):
    plain = replace(ASK, tools=())
    called = Message("assistant", "", calls=(ToolCall("1", "weather", "x" * 300),))
    count = side.provider.count

    assert asked_tokens(side.provider, ASK) > asked_tokens(side.provider, plain) + 40
    assert count([called]) > 100


async def test_a_shape_is_asked_for_in_the_words_of_the_wire(side):
    await side.answer(ask=replace(ASK, tools=(), shape=Shape("place", SCHEMA)))
    body = side.server.requests[0].body
    wire = FOUND[side.name].__name__.rpartition(".")[2]
    schema = {
        "openai": lambda: body["response_format"]["json_schema"]["schema"],
        "anthropic": lambda: body["output_config"]["format"]["schema"],
        "gemini": lambda: body["generationConfig"]["responseJsonSchema"],
        "bedrock": lambda: orjson.loads(
            body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"]
        ),
    }
    if side.name == "compatible":
        assert orjson.dumps(SCHEMA).decode() in body["messages"][0]["content"]
    else:
        assert schema[wire]() == SCHEMA
