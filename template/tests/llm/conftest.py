from collections.abc import AsyncIterator

import pytest

from app.llm import http
from tests.llm.wire_server import WireServer, running


@pytest.fixture
async def wire_server() -> AsyncIterator[WireServer]:
    async with running() as server:
        yield server
    await http.close()
