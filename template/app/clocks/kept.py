"""What this process keeps of the database: asking for it costs no statement.

    kept = Kept("flags", _flags, FlagsNotLoaded)

Changes of its tables move a clock (`triggers.py`). A beat asks for all clocks twice a second, in
one statement, and reads anew what belongs to those that moved. While the database is away, what was
known last holds; before anything is known, `ready` raises.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from time import monotonic
from typing import Any, Generic, LiteralString, TypeVar

from psycopg import Error as PsycopgError
from sqlalchemy.exc import SQLAlchemyError

from app.core.errors import Unavailable
from app.core.logging import log
from app.limits.connections import fetch_all

# With what an answer of the database takes, everyone has noticed within a second.
BEAT_SECONDS = 0.5
# Commands have no beat; nor has a process whose beat cannot reach the database.
STALE_SECONDS = 2.0
AWAY = (PsycopgError, SQLAlchemyError, OSError, TimeoutError)

TICKS: LiteralString = "SELECT name, ticks FROM clocks"

Known = TypeVar("Known")

_all: list["Kept[Any]"] = []
_numbers = count(1)


class Kept(Generic[Known]):
    """What was read last of the tables that move this clock."""

    def __init__(
        self, clock: str, read: Callable[[], Awaitable[Known]], missing: type[Unavailable]
    ) -> None:
        self.clock = clock
        self.known: Known | None = None
        self._read, self._missing = read, missing
        self._ticks = -1
        self._read_at = 0.0
        self._number = 0
        _all.append(self)

    async def ready(self) -> Known:
        """What is known, read when nobody has for a while. Raises `missing` when nothing is."""
        failure: Exception | None = None
        if self.known is None or monotonic() - self._read_at >= STALE_SECONDS:
            try:
                await self.refresh()
            except AWAY as error:
                # Not every call waits for a database that is away.
                failure, self._read_at = error, monotonic()
        if self.known is None:
            raise self._missing("This cannot be done now; please try again.") from failure
        return self.known

    async def refresh(self) -> None:
        """Read what changed since the last time; one statement when nothing has."""
        await self.follow(next(_numbers), await _ticks())

    async def follow(self, number: int, ticks: Mapping[str, int]) -> None:
        """Read anew if the clock moved. What began to be read last counts: it gets a number."""
        at = ticks.get(self.clock, 0)
        # Read after its clock: at worst it is newer than that says, and is read once more.
        known = await self._read() if self.known is None or self._ticks != at else self.known
        if number > self._number:
            self.known, self._ticks, self._number = known, at, number
            self._read_at = monotonic()


async def beat() -> None:
    """Refresh for ever all that this process keeps."""
    lost: set[str] = set()
    while True:
        failed = await _round()
        for clock in failed.keys() - lost:
            log.error("clocks.not_refreshed", clock=clock, error=type(failed[clock]).__name__)
        lost = {*failed}
        await asyncio.sleep(BEAT_SECONDS)


async def _round() -> dict[str, Exception]:
    """One beat; what could not be read keeps nothing else from it."""
    failed: dict[str, Exception] = {}
    number = next(_numbers)
    try:
        ticks = await _ticks()
    except AWAY as error:
        return {"all": error}
    for kept in [*_all]:
        try:
            await kept.follow(number, ticks)
        except Exception as error:  # noqa: BLE001 whatever it was, the others are read
            failed[kept.clock] = error
    return failed


async def _ticks() -> dict[str, int]:
    return dict(await fetch_all(TICKS, {}))
