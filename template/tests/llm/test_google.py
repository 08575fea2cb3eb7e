"""What is Gemini's own; the rest is in test_conformance.py."""

import pytest

from app.llm import errors, http
from app.llm.port import Ask, Delta, Message, Usage
from app.llm.providers.gemini_wire import GeminiWire
from app.llm.settings import LLMSettings
from app.llm.steps import routing
from app.usage.prices import price_of
from tests.llm.behaviour import Behaviour, Received
from tests.llm.dialects import sse
from tests.llm.dialects.gemini import Dialect
from tests.llm.wire_server import running

ASK = Ask(
    [Message("system", "Be kind."), Message("user", "Who?"), Message("assistant", "I.")],
    feature="test",
    temperature=0.5,
)


class Thoughtful(Dialect):
    def opening(self, wanted: Behaviour, request: Received) -> list[bytes]:
        parts = [{"text": "hm", "thought": True}, {"functionCall": {"name": "look"}}]
        return [sse({"candidates": [{"content": {"parts": parts}}]})]

    def _usage(self, counts):
        told = {"thoughtsTokenCount": 7, "cachedContentTokenCount": 4, "toolUse": 0}
        return super()._usage(counts) | told


@pytest.fixture
async def server():
    async with running(Thoughtful()) as server:
        yield server
    await http.close()


def wire(server) -> GeminiWire:
    return GeminiWire(name="google", base_url=server.url, model="m", key="k")


async def test_thoughts_are_not_shown_and_paid(server):
    events = [event async for event in wire(server).stream(ASK)]

    assert events[0] == Delta("word0 ") or events[0].text.startswith("word0 ")
    assert events[-1].unread == {"thought"}
    assert [one.name for one in events[-1].calls] == ["look"]
    assert events[-1].usage == Usage(20, 17, 4)


@pytest.mark.parametrize("reason", ["UNEXPECTED_TOOL_CALL", "MALFORMED_FUNCTION_CALL"])
async def test_a_call_that_was_lost_is_no_answer(server, reason):
    """The first comes when the model calls though calls were forbidden."""
    server.wire, server.behaviour = Dialect(), Behaviour(words=(), finish=reason)
    with pytest.raises(errors.AnswerMalformed):
        [event async for event in wire(server).stream(ASK)]


async def test_how_probable_the_answer_was_is_read_of_its_end_and_of_a_whole_one(server):
    server.behaviour = Behaviour(logprob=-0.25)
    server.wire = Dialect()
    events = [event async for event in wire(server).stream(ASK)]
    assert events[-1].mean_logprob == -0.25
    assert (await wire(server).complete(ASK)).finish.mean_logprob == -0.25


async def test_the_request_says_only_what_was_asked(server):
    async for _ in wire(server).stream(ASK):
        pass

    [request] = server.requests
    assert request.path == "/v1/models/m:streamGenerateContent?alt=sse"
    assert request.headers["x-goog-api-key"] == "k"
    assert request.body == {
        "systemInstruction": {"parts": [{"text": "Be kind."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Who?"}]},
            {"role": "model", "parts": [{"text": "I."}]},
        ],
        "generationConfig": {"temperature": 0.5},
    }


async def test_a_question_that_the_filter_stops_costs_nothing(server):
    server.behaviour = Behaviour(error={"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})
    server.wire = Dialect()
    with pytest.raises(errors.ContentRefused) as caught:
        async for _ in wire(server).stream(ASK):
            pass

    assert not errors.billed(caught.value)


@pytest.mark.parametrize("region", ["eu", "us"])
def test_data_that_must_stay_somewhere_does_not_go_there(configure, region):
    configure(LLM_PROVIDER="google", LLM_API_KEY="k", LLM_REGION=region, LLM_MODEL="")
    assert any("no regions" in one for one in LLMSettings.load().production_problems())

    configure(LLM_REGION="anywhere")
    assert LLMSettings.load().production_problems() == []
    assert price_of("google", routing.provider().model).known
