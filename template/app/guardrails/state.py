"""What organisations want stricter, as this process knows it: asking costs no statement.

As for flags, a beat asks twice a second whether anything has changed. While the database is away,
what was known last holds; before anything is known, models are not called.
"""

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import LiteralString
from uuid import UUID

from psycopg import Error as PsycopgError
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.exc import SQLAlchemyError

from app.core.db import transaction
from app.core.errors import Unavailable
from app.core.logging import log
from app.guardrails.models import GuardSettings
from app.guardrails.stricter import NOTHING, Stricter, stricter
from app.limits.connections import fetch

BEAT_SECONDS = 0.5
# Commands have no beat; nor has a process whose beat cannot reach the database.
STALE_SECONDS = 2.0
AWAY = (PsycopgError, SQLAlchemyError, OSError, TimeoutError)

TICKS: LiteralString = "SELECT ticks FROM guard_settings_clock"

_known: Mapping[UUID, Stricter] | None = None
_ticks = -1
_read_at = -STALE_SECONDS


class GuardsNotLoaded(Unavailable):
    """Nobody knows yet what the organisation's guards must stop."""


async def of(organization_id: UUID) -> Stricter:
    """What this organisation has set. Raises `GuardsNotLoaded`."""
    global _read_at
    if _known is None or monotonic() - _read_at >= STALE_SECONDS:
        try:
            await refresh()
        except AWAY as error:
            if _known is None:
                raise GuardsNotLoaded("This cannot be done now; please try again.") from error
            _read_at = monotonic()  # Not every call waits for a database that is away.
    return (_known or {}).get(organization_id, NOTHING)


async def refresh() -> None:
    """Read what changed since the last time; one statement when nothing has."""
    global _known, _ticks, _read_at
    row = await fetch(TICKS, {})
    ticks = int(row[0]) if row else 0
    if _known is None or _ticks != ticks:
        # Read after its number: at worst it is newer than that says, and is read once more.
        _known, _ticks = await _all(), ticks
    _read_at = monotonic()


async def _all() -> Mapping[UUID, Stricter]:
    newest = (
        select(GuardSettings)
        .ext(distinct_on(GuardSettings.organization_id))
        .order_by(GuardSettings.organization_id, GuardSettings.version.desc())
    )
    async with transaction(elevated=True) as db:
        return {
            row.organization_id: stricter(
                row.organization_id,
                row.version,
                row.actions,
                row.words,
                "block" if row.words_action == "block" else "review",
            )
            for row in await db.scalars(newest)
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
                log.error("guards.not_refreshed", error=type(error).__name__)
            lost = True
        await asyncio.sleep(BEAT_SECONDS)
