"""The measures in force, as this process knows them: no request asks the database for its own.

They are read anew every few seconds, and at once where one was set or lifted.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from uuid import UUID

from psycopg import Error as PsycopgError

from app.abuse.settings import AbuseSettings
from app.abuse.subjects import Subject
from app.core.clock import now
from app.core.logging import log
from app.limits.connections import fetch_all

STRICTNESS = ("slow", "challenge", "suspend")
LONG_AGO = float("-inf")


@dataclass(frozen=True, slots=True)
class InForce:
    measure: str
    scope: str
    until: datetime

    @property
    def left(self) -> timedelta:
        return max(self.until - now(), timedelta(seconds=1))


class _Known:
    """What was read, and when."""

    def __init__(self) -> None:
        self.by_subject: dict[UUID, list[InForce]] = {}
        self.read_at = LONG_AGO
        self.reading = asyncio.Lock()

    async def refresh(self) -> None:
        if monotonic() - self.read_at < AbuseSettings.load().known_seconds:
            return
        async with self.reading:
            begun = monotonic()
            if begun - self.read_at < AbuseSettings.load().known_seconds:
                return
            try:
                rows = await fetch_all("SELECT * FROM abuse_in_force()", {})
            except (PsycopgError, TimeoutError) as error:
                # What was known holds on: an outage lifts nothing, and shuts nobody out.
                log.error("abuse.measures_not_read", error=type(error).__name__)
                self.read_at = begun
                return
            found: dict[UUID, list[InForce]] = {}
            for subject_key, measure, scope, until in rows:
                found.setdefault(subject_key, []).append(InForce(measure, scope, until))
            self.by_subject, self.read_at = found, begun


_known = _Known()


def forget() -> None:
    """Something changed: read anew before the next request is looked at."""
    _known.read_at = LONG_AGO


async def strictest(scope: str, subjects: Iterable[Subject]) -> InForce | None:
    """What holds now for any of these subjects in this scope; None for nearly everyone."""
    await _known.refresh()
    if not _known.by_subject:
        return None
    moment = now()
    held = [
        one
        for subject in subjects
        for one in _known.by_subject.get(subject.key, ())
        if one.scope in {scope, "all"} and one.until > moment
    ]
    return max(held, key=lambda one: STRICTNESS.index(one.measure), default=None)
