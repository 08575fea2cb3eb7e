"""Each provider that the project has, set up by its settings, and the server that plays it."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

import pytest

from app.core.errors import Problem
from app.llm import http
from app.llm.port import Ask, Delta, Finish, Message, Provider
from app.llm.steps import routing
from tests.llm import dialects
from tests.llm.behaviour import Behaviour
from tests.llm.wire_server import WireServer, running

FOUND = dialects.found()
MESSAGES = [
    Message("system", "Be kind."),
    Message("user", "Who are you?"),
    Message("assistant", "A model."),
    Message("user", "Whose?"),
]
ASK = Ask(MESSAGES, feature="test", max_output_tokens=2048)
BOTH = pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])


@dataclass
class Side:
    """One provider, and the server that plays it."""

    name: str
    server: WireServer
    refusals: dict

    @property
    def provider(self) -> Provider:
        return routing.provider()

    async def answer(self, *, streamed: bool = True, ask: Ask = ASK) -> tuple[str, Finish]:
        if not streamed:
            completion = await self.provider.complete(ask)
            return completion.text, completion.finish
        said, finish = "", None
        async with aclosing(self.provider.stream(ask)) as events:
            async for event in events:
                assert finish is None, "nothing follows the finish"
                if isinstance(event, Delta):
                    said += event.text
                else:
                    finish = event
        assert finish
        return said, finish

    async def refused(self, kind: type[Problem], *, streamed: bool = True, **behaviour) -> Problem:
        self.server.behaviour = Behaviour(**behaviour)
        with pytest.raises(Problem) as caught:
            await self.answer(streamed=streamed)
        assert type(caught.value) is kind
        assert "secret" not in caught.value.detail
        return caught.value


@pytest.fixture(params=sorted(FOUND))
async def side(request, configure, tmp_path) -> AsyncIterator[Side]:
    name, wire = request.param, FOUND[request.param]
    async with running(wire.Dialect()) as server:
        root = server.url.removesuffix("/v1")
        given = {f"LLM_{key}": v.format(url=root) for key, v in wire.PROVIDERS[name].items()}
        made = wire.account(tmp_path, root) if name == "vertex" else {}
        configure(LLM_PROVIDER=name, **given, **getattr(wire, "ACCESS", {}), **made)
        yield Side(name, server, wire.REFUSALS)
        await http.close()
