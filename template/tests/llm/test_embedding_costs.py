"""Vectors cost money too: what was set aside is settled, however the request for them ends."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
from sqlalchemy import select, text

from app.core import db
from app.llm import embeddings, http, settling
from app.llm.errors import ModelMisconfigured
from app.usage.models import UsageRecord
from tests.factories import Someone, make_user
from tests.llm.wire_server import Behaviour, WireServer, running

HELD = (
    "SELECT coalesce(sum(reserved_calls + reserved_tokens + reserved_microdollars), 0)"
    " FROM usage_counters"
)


class Long:
    """Vectors that are longer than what is kept."""

    def aside(self, request) -> bytes:
        data = [
            {"index": at, "embedding": [1.0] * 2000} for at in range(len(request.body["input"]))
        ]
        return orjson.dumps({"data": data, "usage": {"prompt_tokens": 7}})


@pytest.fixture
async def someone(app) -> Someone:
    return await make_user(password=False)


@pytest.fixture
async def silent(configure) -> AsyncIterator[WireServer]:
    async with running() as server:
        server.behaviour = Behaviour(silent=True)
        configure(LLM_EMBEDDING_MODEL="small", LLM_EMBEDDING_BASE_URL=server.url)
        yield server
    await http.close()


async def embed(someone: Someone) -> list[list[float]]:
    whose = {"organization_id": someone.organization_id, "user_id": someone.user_id}
    return await embeddings.embed(["How many moons has it?"], **whose, feature="test")


async def booked(someone: Someone) -> tuple[str, str, bool]:
    """How the one record ended, and whether it cost; nothing is held back for it any more."""
    await settling.drain()
    async with db.transaction(organization_id=someone.organization_id) as session:
        assert await session.scalar(text(HELD)) == 0
        one = (await session.scalars(select(UsageRecord))).one()
        return one.state, one.outcome, one.microdollars > 0


async def test_who_leaves_while_the_provider_works_pays_for_it(silent, someone):
    asking = asyncio.create_task(embed(someone))
    async with asyncio.timeout(30):
        while not silent.requests:
            await asyncio.sleep(0.005)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await booked(someone) == ("settled", "left", True)


async def test_who_leaves_while_it_is_set_aside_holds_nothing_back(silent, someone, monkeypatch):
    reserve = embeddings.usage.reserve

    async def reserved_and_left(*given, **more):
        await reserve(*given, **more)
        raise asyncio.CancelledError

    monkeypatch.setattr(embeddings.usage, "reserve", reserved_and_left)
    with pytest.raises(asyncio.CancelledError):
        await embed(someone)
    assert await booked(someone) == ("released", "left", False)
    assert silent.requests == []


async def test_vectors_that_are_too_long_are_paid_for_all_the_same(someone, configure):
    async with running(Long()) as server:
        configure(LLM_EMBEDDING_MODEL="small", LLM_EMBEDDING_BASE_URL=server.url)
        with pytest.raises(embeddings.TooManyNumbers, match="LLM_EMBEDDING_DIMENSIONS"):
            await embed(someone)
    await http.close()
    assert await booked(someone) == ("settled", "failed", True)


async def test_what_the_provider_refuses_costs_nothing(silent, someone):
    silent.behaviour = Behaviour(status=401, error=b"{}")
    with pytest.raises(ModelMisconfigured):
        await embed(someone)
    assert await booked(someone) == ("released", "failed", False)
