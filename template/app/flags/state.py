"""The flags as this process knows them: asking for one costs no statement.

A beat asks twice a second whether anything has changed. While the database is away, what was known
last holds: what is switched off stays off. Before anything is known, models are not called.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from time import monotonic
from typing import Any, LiteralString
from uuid import UUID

from psycopg import Error as PsycopgError

from app.core.errors import Unavailable
from app.core.logging import log
from app.limits.connections import fetch, fetch_all

# With what an answer of the database takes, everyone has noticed within a second.
BEAT_SECONDS = 0.5
# Commands have no beat; nor has a process whose beat cannot reach the database.
STALE_SECONDS = 2.0
AWAY = (PsycopgError, OSError, TimeoutError)

TICKS: LiteralString = "SELECT ticks FROM feature_flag_clock"
FLAGS: LiteralString = "SELECT name, enabled, share, organizations, roles FROM feature_flags"


class FlagsNotLoaded(Unavailable):
    """The flags could not be read yet, so nobody knows what is switched off."""


@dataclass(frozen=True, slots=True)
class Flag:
    """What was set."""

    name: str
    enabled: bool
    share: int
    organizations: frozenset[UUID]
    roles: frozenset[str]

    def is_on_for(self, organization_id: UUID | None, role: str, who: str) -> bool:
        return (
            self.enabled
            and (not self.organizations or organization_id in self.organizations)
            and (not self.roles or role in self.roles)
            and (self.share >= 100 or place(self.name, who) < self.share * 100)
        )


def place(flag: str, who: str) -> int:
    """Where someone stands among 10,000, the same each time, another for each flag."""
    digest = blake2b(f"{flag}\0{who}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % 10_000


@dataclass(frozen=True, slots=True)
class Known:
    ticks: int
    flags: Mapping[str, Flag]


_known: Known | None = None
_read_at = -STALE_SECONDS


def flag(name: str) -> Flag | None:
    """What was set, as far as this process knows; None when nobody has set it."""
    return _known.flags.get(name) if _known else None


async def ready() -> None:
    """Read the flags when nobody has for a while. Raises `FlagsNotLoaded` when none are known."""
    global _read_at
    if _known is not None and monotonic() - _read_at < STALE_SECONDS:
        return
    try:
        await refresh()
    except AWAY as error:
        if _known is None:
            raise FlagsNotLoaded("This cannot be done now; please try again.") from error
        _read_at = monotonic()  # Not every call waits for a database that is away.


async def refresh() -> None:
    """Read what changed since the last time; one statement when nothing has."""
    global _known, _read_at
    row = await fetch(TICKS, {})
    ticks = int(row[0]) if row else 0
    if _known is None or _known.ticks != ticks:
        # Read after its number: at worst it is newer than that says, and is read once more.
        _known = Known(ticks, await _flags())
    _read_at = monotonic()


async def _flags() -> Mapping[str, Flag]:
    rows: list[Any] = await fetch_all(FLAGS, {})
    return {
        name: Flag(name, enabled, share, frozenset(organizations), frozenset(roles))
        for name, enabled, share, organizations, roles in rows
    }


async def beat() -> None:
    """Refresh for ever."""
    lost = False
    while True:
        try:
            await refresh()
            lost = False
        except AWAY as error:
            if not lost:
                log.error("flags.not_refreshed", error=type(error).__name__)
            lost = True
        await asyncio.sleep(BEAT_SECONDS)
