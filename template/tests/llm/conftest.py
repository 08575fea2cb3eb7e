from collections.abc import AsyncIterator, Callable

import pytest
from fastapi import FastAPI

from app.llm import http
from tests.factories import make_user
from tests.llm.caller import KEY, Caller
from tests.llm.sides import side
from tests.llm.wire_server import WireServer, running
from tests.usage.conftest import person_of

__all__ = ["caller", "side", "wire_server"]


@pytest.fixture
async def wire_server() -> AsyncIterator[WireServer]:
    async with running() as server:
        yield server
    await http.close()


@pytest.fixture
async def caller(app: FastAPI, wire_server: WireServer, configure: Callable[..., None]) -> Caller:
    configure(
        LLM_PROVIDER="compatible", LLM_BASE_URL=wire_server.url, LLM_MODEL="m", LLM_API_KEY=KEY
    )
    return Caller(person_of(await make_user(password=False)))
