"""What is Anthropic's own; the rest is in test_conformance.py."""

import pytest

from app.llm import errors, http
from app.llm.port import Ask, Delta, Message, Usage
from app.llm.providers.anthropic import Messages
from app.llm.settings import LLMSettings
from app.llm.steps import routing
from app.usage.prices import price_of
from tests.llm.behaviour import Behaviour, Received
from tests.llm.dialects.anthropic import Dialect
from tests.llm.wire_server import running

ASK = Ask([Message("system", "Be kind."), Message("user", "Who are you?")], feature="test")


class Thoughtful(Dialect):
    """Thinks, reads its cache and uses a tool."""

    def opening(self, wanted: Behaviour, request: Received) -> list[bytes]:
        usage = {"input_tokens": 5, "cache_read_input_tokens": 90, "output_tokens": 1}
        message = {"model": "m-20260101", "usage": usage | {"cache_creation_input_tokens": 5}}
        return [
            self._event({"type": "message_start", "message": message}),
            self._event(
                {"type": "content_block_start", "content_block": {"type": "thinking"}, "index": 0}
            ),
            self._event(
                {
                    "type": "content_block_delta",
                    "delta": {"type": "thinking_delta", "thinking": "hm"},
                }
            ),
            self._event({"type": "a_kind_of_tomorrow", "data": 1}),
        ]


@pytest.fixture
async def server():
    async with running(Thoughtful()) as server:
        yield server
    await http.close()


async def test_thoughts_are_not_shown_and_the_cache_is_counted(server):
    provider = Messages(name="anthropic", base_url=server.url, model="m", key="k")
    events = [event async for event in provider.stream(ASK)]

    assert "".join(one.text for one in events if isinstance(one, Delta)).startswith("word0 ")
    finish = events[-1]
    assert finish.unread == {"thinking"}
    assert finish.model == "m-20260101"
    assert finish.usage == Usage(100, 10, 90)


async def test_the_request_says_only_what_was_asked(server):
    provider = Messages(name="anthropic", base_url=server.url, model="m", key="k")
    async for _ in provider.stream(ASK):
        pass

    [request] = server.requests
    assert request.path == "/v1/messages"
    assert request.headers["x-api-key"] == "k"
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert request.body == {
        "model": "m",
        "max_tokens": 4096,
        "system": "Be kind.",
        "messages": [{"role": "user", "content": "Who are you?"}],
        "stream": True,
    }


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("rate_limit_error", errors.ModelThrottled),
        ("api_error", errors.ModelDown),
        ("authentication_error", errors.KeyRefused),
        ("something_new", errors.ModelDown),
    ],
)
async def test_an_error_as_the_first_event_is_a_refusal(server, kind, problem):
    server.behaviour = Behaviour(error_after=0, error_kind=kind)
    provider = Messages(name="anthropic", base_url=server.url, model="m", key="k")
    with pytest.raises(problem):
        async for _ in provider.stream(ASK):
            pass


async def test_data_that_stays_in_the_us_is_asked_for_and_costs_more(server, configure):
    given = {"LLM_PROVIDER": "anthropic", "LLM_API_KEY": "k", "LLM_BASE_URL": server.url}
    configure(**given, LLM_REGION="us", LLM_MODEL="")
    provider = routing.provider()
    await provider.complete(ASK)

    assert server.requests[0].body["inference_geo"] == "us"
    here, anywhere = (price_of(one, provider.model) for one in (provider.price_list, "anthropic"))
    assert here.known
    assert here.output == anywhere.output * 1.1


def test_data_that_must_stay_in_the_eu_does_not_go_there(configure):
    configure(LLM_PROVIDER="anthropic", LLM_API_KEY="k", LLM_REGION="eu")
    assert any("no EU region" in one for one in LLMSettings.load().production_problems())

    configure(LLM_REGION="anywhere")
    assert LLMSettings.load().production_problems() == []
