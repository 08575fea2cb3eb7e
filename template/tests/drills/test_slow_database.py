"""Drill: the database answers slowly, then holds a table for long, as a migration may.

Expected: slow means slow, and nothing fails. Who needs the table gets 503 within seconds and may
try again, the process stays in rotation for the rest, and all works once the table is free.
"""

import asyncio
from time import monotonic

import psycopg
import pytest

from tests.asking import text_of
from tests.chaos.database_proxy import between
from tests.drills.conftest import until
from tests.llm.wire_server import WORDS

pytestmark = pytest.mark.slow


async def test_slow_database(start, enter, database, monkeypatch):
    late = 0.0
    read = asyncio.StreamReader.read

    async def read_late(self, count=-1):
        piece = await read(self, count)
        await asyncio.sleep(late)
        return piece

    async with between(database.app, database.admin) as proxy:
        browser = await enter(await start(DATABASE_URL=proxy.url))
        monkeypatch.setattr(asyncio.StreamReader, "read", read_late)
        late = 0.1
        assert text_of(await browser.ask(await browser.new(), "Who are you?")) == "".join(WORDS)
        late = 0.0

        async with await psycopg.AsyncConnection.connect(database.admin) as holding:
            await holding.execute("LOCK conversations IN ACCESS EXCLUSIVE MODE")
            before = monotonic()
            answer = await browser.client.get("/api/conversations")
            assert answer.status_code == 503, answer.text
            assert monotonic() - before < 45
            assert (await browser.client.get("/health/ready")).status_code == 200

        async def works() -> bool:
            return (await browser.client.get("/api/conversations")).status_code == 200

        await until(works)
