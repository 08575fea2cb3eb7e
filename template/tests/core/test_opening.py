"""Opening a connection takes the event loop's time: a burst opens its own a few at a time."""

import asyncio
import socket
from contextlib import suppress
from urllib.parse import urlsplit

import psycopg
from sqlalchemy import text

from app.core import db
from app.core.db import OPENING_AT_ONCE, SECONDS_BEHIND_OTHERS, Opener
from app.core.settings import get_settings
from app.limits import connections
from app.limits.settings import LimitsSettings
from app.main import create_app


async def test_a_burst_opens_its_connections_a_few_at_a_time(monkeypatch):
    await db.close()
    under_way, most, opened = 0, 0, psycopg.AsyncConnection.connect

    async def counted(*where, **options):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            return await opened(*where, **options)
        finally:
            under_way -= 1

    monkeypatch.setattr(psycopg.AsyncConnection, "connect", counted)
    inside = asyncio.Barrier(8)

    async def asks():
        async with db.transaction() as session:
            await session.execute(text("SELECT 1"))
            await inside.wait()  # so each has a connection of its own

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(asks())
    assert most == OPENING_AT_ONCE


async def test_nobody_waits_long_for_openings_that_hang(database):
    """As when packets to one of a database's addresses are lost."""
    silent = socket.create_server(("127.0.0.1", 0))  # takes connections and never looks at them
    host, port = silent.getsockname()
    opener, clock = Opener(), asyncio.get_running_loop().time
    hanging = [
        asyncio.create_task(opener(f"host={host} port={port} user=nobody"))
        for _ in range(OPENING_AT_ONCE)
    ]
    await asyncio.sleep(0)
    began = clock()
    async with asyncio.timeout(30):
        connection = await opener(database.app)
    assert clock() - began >= SECONDS_BEHIND_OTHERS * 0.9, "the others were in nobody's way"
    assert not any(one.done() for one in hanging)
    await connection.close()
    for one in hanging:
        one.cancel()
        with suppress(asyncio.CancelledError):
            await one
    silent.close()


def test_each_event_loop_has_turns_of_its_own(database):
    opener = Opener()

    async def burst():
        for connection in await asyncio.gather(*[opener(database.app) for _ in range(5)]):
            await connection.close()

    for _ in range(2):
        asyncio.run(burst())


async def test_the_first_burst_after_a_start_finds_its_connections_open(database):
    await db.close()
    await connections.close()
    others, app = _open(database), create_app()
    kept = get_settings().database_pool_size + LimitsSettings.load().connections
    async with asyncio.timeout(30):
        async with app.router.lifespan_context(app):
            while len(mine := _open(database) - others) < kept:
                await asyncio.sleep(0.01)
        while mine & _open(database):  # a server's process ends after its connection
            await asyncio.sleep(0.01)


async def test_filling_leaves_what_takes_long_to_requests(database, monkeypatch):
    await db.close()
    monkeypatch.setattr(db, "SECONDS_TO_FILL", 0.5)
    opened, never = 0, asyncio.Event()

    class Hanging(Opener):
        async def __call__(self, *where, **options):
            nonlocal opened
            opened += 1
            if opened > 3:
                await never.wait()
            return await super().__call__(*where, **options)

    monkeypatch.setattr(db, "Opener", Hanging)
    async with asyncio.timeout(30):
        await db.fill()
        async with db.transaction() as session:
            await session.execute(text("SELECT 1"))
    assert opened == 4, "the fourth hung, and the request had one of the three"
    await db.close()


def _open(database):
    """What waits for statements of the app, by the database's own word."""
    with psycopg.connect(database.admin) as look:
        found = look.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE datname = %s AND usename = 'app' AND state = 'idle'",
            [urlsplit(database.app).path.removeprefix("/")],
        )
        return {pid for (pid,) in found}
