"""Connections to the database for single statements, each a transaction of its own.

Limits, sessions and sign-ins use them: a SQL function does in one round trip what would be a dozen.
In the request's transaction a hit would be forgotten when the request fails, and a slow request
would hold the row for everyone else.
"""

import asyncio
from collections.abc import Mapping
from functools import cache
from typing import Any, LiteralString

from psycopg import AsyncConnection, AsyncRawCursor
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from app.core.db import app_url, doubt, driver_options
from app.core.direct import execute
from app.core.metrics import Gauge
from app.limits.settings import LimitsSettings


@cache
def _pool() -> AsyncConnectionPool[AsyncConnection[TupleRow]]:
    return AsyncConnectionPool(
        app_url().replace("postgresql+psycopg://", "postgresql://"),
        kwargs={"autocommit": True, "application_name": "limits"} | driver_options(),
        min_size=LimitsSettings.load().connections,
        reconnect_timeout=5,
        open=False,
    )


def _waiting() -> float:
    return _pool().get_stats().get("requests_waiting", 0) if _pool.cache_info().currsize else 0


Gauge(
    "app_db_statements_waiting",
    "Limits and sign-ins that wait for a connection of theirs.",
    read=_waiting,
)


async def fetch(statement: LiteralString, values: Mapping[str, Any]) -> TupleRow | None:
    """Run one statement and give its first row. Raises `psycopg.Error` or `TimeoutError`."""
    cursor = await _run(statement, values)
    # Whether there are rows at all; `description` would describe each column first.
    return await cursor.fetchone() if cursor.pgresult and cursor.pgresult.nfields else None


async def fetch_all(statement: LiteralString, values: Mapping[str, Any]) -> list[TupleRow]:
    """The same for all rows."""
    return await (await _run(statement, values)).fetchall()


async def _run(statement: LiteralString, values: Mapping[str, Any]) -> AsyncRawCursor[TupleRow]:
    pool = _pool()
    async with asyncio.timeout(LimitsSettings.load().database_seconds):
        if pool.closed:
            await pool.open()
        connection = await pool.getconn()
        try:
            # All rows come with the answer, so the connection is free for others at once.
            return await execute(connection, statement, values)
        finally:
            is_lost = connection.broken
            await pool.putconn(connection)
            if is_lost:  # So are the others when the server has restarted.
                doubt()
                await pool.check()


async def fill() -> None:
    """Begin to open the connections, before a burst needs them at once."""
    await _pool().open()


async def close() -> None:
    """Give the connections back; the next use opens new ones."""
    if _pool.cache_info().currsize:
        await _pool().close()
    _pool.cache_clear()
