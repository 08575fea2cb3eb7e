"""Who writes an answer says so again and again: a process that dies blocks nobody for long.

It is the database's clock that counts: those of two servers may differ by more than is waited.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from uuid import UUID

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from app.assistant.statements import HOLD_ON
from app.core.db import transaction
from app.core.logging import log
from app.llm.settings import LLMSettings

SECONDS = 20.0
SECONDS_BETWEEN = 4.0

_held: dict[UUID, tuple[UUID, float]] = {}
_holding: asyncio.Task[None] | None = None


@contextmanager
def held(conversation_id: UUID, holder: UUID) -> Iterator[None]:
    """Inside, the conversation stays reserved, for as long as a call may last at most."""
    global _holding
    _held[holder] = conversation_id, monotonic() + LLMSettings.load().deadline_seconds + 30
    if _holding is None or _holding.done():
        _holding = asyncio.create_task(_hold_on())
    try:
        yield
    finally:
        _held.pop(holder, None)


async def _hold_on() -> None:
    while _held:
        await asyncio.sleep(SECONDS_BETWEEN)
        found = {who: what for who, (what, until) in _held.items() if until > monotonic()}
        if not found:
            continue
        values = {"conversations": [*found.values()], "holders": [*found], "seconds": SECONDS}
        try:
            async with asyncio.timeout(SECONDS_BETWEEN), transaction(elevated=True) as db:
                await db.execute(HOLD_ON, values)
        except (psycopg.Error, SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("assistant.not_held", error=type(error).__name__)
