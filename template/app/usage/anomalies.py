"""Hours that cost far more than such hours usually do; told to administrators once.

An hour is compared with the same hour of the week and its neighbours, eight weeks back. Median and
median absolute deviation do not mind the few strange hours among them, so an anomaly does not
become the measure of the next one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.core.clock import now
from app.mail import links
from app.mail import service as mail
from app.usage.models import UsageAnomaly, UsageCounter, UsageRecord
from app.usage.settings import UsageSettings
from app.usage.warnings import dollars
from app.users.entitled import entitled
from app.users.models import Organization

HOUR, WEEK = timedelta(hours=1), timedelta(weeks=1)
WEEKS = 8
LEAST_HISTORY = 3 * WEEK
"""Before that nobody knows what is usual."""
NEIGHBOURS = (-HOUR, timedelta(0), HOUR)
# What the median absolute deviation of a normal distribution is multiplied with.
NORMAL = 1.4826
LEAST_SPREAD = 0.1
"""Of the median: hours that are all alike do not make the next cent an anomaly."""
QUIET = timedelta(hours=3)
"""Anomalous hours that follow each other within this are one."""


@dataclass(frozen=True)
class Usual:
    """What such hours usually come to, and how far they usually are from it."""

    median: float
    spread: float

    def is_left_by(self, value: int, *, factor: float, least: int) -> bool:
        return value - self.median > max(factor * self.spread, least)


def usual(history: Mapping[datetime, int], hour: datetime, since: datetime) -> Usual | None:
    """By hours of the clock; None while the history is too short. Hours without a sum are 0."""
    if hour - since < LEAST_HISTORY:
        return None
    places = [hour - week * WEEK + near for week in range(1, WEEKS + 1) for near in NEIGHBOURS]
    known = [history.get(place, 0) for place in places if place >= since]
    middle = median(known)
    deviation = median(abs(one - middle) for one in known)
    return Usual(middle, max(NORMAL * deviation, LEAST_SPREAD * middle))


async def look(db: AsyncSession) -> int:
    """Look at this hour as far as it is and the one before, everywhere; as app_auth.

    Gives how many mails were sent.
    """
    if not UsageSettings.load().anomaly_factor:
        return 0
    this = now().replace(minute=0, second=0, microsecond=0)
    busy = await db.scalars(
        select(UsageCounter.organization_id)
        .where(UsageCounter.period == "hour", UsageCounter.user_id.is_(None))
        .where(UsageCounter.starts_at >= this - HOUR)
        .distinct()
    )
    return sum([await _look_at(db, one, this) for one in busy.all()])


async def _look_at(db: AsyncSession, organization_id: UUID, this: datetime) -> int:
    rows = await db.execute(
        select(UsageCounter.starts_at, UsageCounter.microdollars, UsageCounter.tokens)
        .where(UsageCounter.period == "hour", UsageCounter.user_id.is_(None))
        .where(UsageCounter.organization_id == organization_id)
        .where(UsageCounter.starts_at >= this - WEEKS * WEEK - 2 * HOUR)
    )
    sums = rows.all()
    since = min(row.starts_at for row in sums)
    settings = UsageSettings.load()
    # Models on machines of one's own cost no money: their tokens count.
    measures = (
        ("microdollars", int(settings.anomaly_dollars * 1_000_000)),
        ("tokens", settings.anomaly_tokens),
    )
    for hour in (this - HOUR, this):
        for unit, least in measures:
            history = {row.starts_at: getattr(row, unit) for row in sums}
            found = usual(history, hour, since)
            seen = history.get(hour, 0)
            if found and found.is_left_by(seen, factor=settings.anomaly_factor, least=least):
                return await _tell(db, organization_id, hour, unit, seen, found)
    return 0


async def _tell(
    db: AsyncSession, organization_id: UUID, hour: datetime, unit: str, seen: int, found: Usual
) -> int:
    last = await db.scalar(
        select(UsageAnomaly)
        .where(UsageAnomaly.organization_id == organization_id)
        .order_by(UsageAnomaly.last_at.desc())
        .limit(1)
    )
    if last is not None and last.last_at >= hour - QUIET:
        last.last_at = max(hour, last.last_at)
        last.seen = max(seen, last.seen) if unit == last.unit else last.seen
        return 0
    written = await db.scalar(
        insert(UsageAnomaly)
        .values(
            organization_id=organization_id,
            started_at=hour,
            last_at=hour,
            unit=unit,
            seen=seen,
            usual=round(found.median),
        )
        .on_conflict_do_nothing()
        .returning(UsageAnomaly.id)
    )
    if written is None:
        return 0
    detail = {"hour": f"{hour:%Y-%m-%dT%H:%MZ}", unit: seen, "usual": round(found.median)}
    await audit.record(db, "usage.anomaly", organization_id=organization_id, detail=detail)
    return await _mail(db, organization_id, hour, unit, seen, found)


async def _mail(
    db: AsyncSession, organization_id: UUID, hour: datetime, unit: str, seen: int, found: Usual
) -> int:
    organization = await db.get_one(Organization, organization_id)
    readers = await entitled(db, organization_id, "usage.read")
    most = await _most(db, organization_id, hour)
    for one in readers:
        await mail.send(
            db,
            one.email,
            "usage/anomaly",
            name=one.display_name,
            organization=organization.name,
            started=f"{hour:%Y-%m-%d %H:%M}",
            seen=_said(seen, unit),
            usual=_said(round(found.median), unit),
            most=most,
            link=links.to("/admin/usage", api="/api/usage/organization"),
        )
    return len(readers)


async def _most(db: AsyncSession, organization_id: UUID, hour: datetime) -> list[str]:
    """What cost most in this hour."""
    cost, tokens = (
        func.sum(UsageRecord.microdollars),
        func.sum(UsageRecord.input_tokens + UsageRecord.output_tokens),
    )
    rows = await db.execute(
        select(UsageRecord.feature, UsageRecord.model, cost, tokens, func.count())
        .where(UsageRecord.organization_id == organization_id, UsageRecord.state == "settled")
        .where(UsageRecord.created_at >= hour, UsageRecord.created_at < hour + HOUR)
        .group_by(UsageRecord.feature, UsageRecord.model)
        .order_by(cost.desc(), tokens.desc())
        .limit(3)
    )
    return [
        f"{feature} with {model}: {calls:,} calls, {_said(int(of), 'tokens')},"
        f" {_said(int(paid), 'microdollars')}"
        for feature, model, paid, of, calls in rows
    ]


def _said(value: int, unit: str) -> str:
    return dollars(value) if unit == "microdollars" else f"{value:,} tokens"
