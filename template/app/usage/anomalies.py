"""Hours that cost far more than such hours usually do; told to administrators once.

Of the organisation, and when it as a whole is as usual, of each feature, model and person in it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, cast, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.audit import service as audit
from app.core.clock import now
from app.mail import links
from app.mail import service as mail
from app.usage.models import UsageAnomaly, UsageCounter, UsageRecord
from app.usage.reports import names_of
from app.usage.settings import UsageSettings
from app.usage.usual import HOUR, WEEK, WEEKS, Usual, jump
from app.usage.warnings import dollars
from app.users.entitled import entitled
from app.users.models import Organization

QUIET = timedelta(hours=3)
"""Anomalous hours that follow each other within this are one."""
KINDS: dict[str, InstrumentedAttribute[Any]] = {
    "feature": UsageRecord.feature,
    "model": UsageRecord.model,
    "person": UsageRecord.user_id,
}
MOST_AT_ONCE = 50
"""Of each kind so many are looked at, the dearest."""

Sums = Mapping[datetime, Mapping[str, int]]
"""By hour, in microdollars and tokens."""


@dataclass(frozen=True)
class Found:
    """Whose hour it is, and what it came to."""

    kind: str
    name: str
    """Of a feature or model."""
    user_id: UUID | None
    hour: datetime
    unit: str
    seen: int
    usual: Usual


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
    whole = await _of_all(db, organization_id, this)
    found = [one] if (one := _jump(whole, this, "organization", "")) else []
    if not found:
        for kind in KINDS:
            for whose, sums in (await _of_each(db, organization_id, kind, this)).items():
                if one := _jump(sums, this, kind, whose):
                    found.append(one)
    new = [one for one in found if await _note(db, organization_id, one)]
    return await _mail(db, organization_id, new) if new else 0


async def _of_all(db: AsyncSession, organization_id: UUID, this: datetime) -> Sums:
    rows = await db.execute(
        select(UsageCounter.starts_at, UsageCounter.microdollars, UsageCounter.tokens)
        .where(UsageCounter.period == "hour", UsageCounter.user_id.is_(None))
        .where(UsageCounter.organization_id == organization_id)
        .where(UsageCounter.starts_at >= _first(this))
    )
    return {row.starts_at: {"microdollars": row.microdollars, "tokens": row.tokens} for row in rows}


async def _of_each(
    db: AsyncSession, organization_id: UUID, kind: str, this: datetime
) -> dict[str | UUID, Sums]:
    """The hours of those who used enough lately to be told of."""
    whose, settings = KINDS[kind], UsageSettings.load()
    money = func.sum(UsageRecord.microdollars)
    tokens = func.sum(UsageRecord.input_tokens + UsageRecord.output_tokens)
    hour = func.date_trunc("hour", UsageRecord.created_at, "UTC").label("hour")
    booked = (
        select(whose.label("whose"), hour, cast(money, BigInteger), cast(tokens, BigInteger))
        .where(UsageRecord.organization_id == organization_id, UsageRecord.state == "settled")
        .where(whose.is_not(None))
        .group_by(whose, hour)
    )
    enough = or_(money > settings.anomaly_dollars * 1_000_000, tokens > settings.anomaly_tokens)
    lately = booked.where(UsageRecord.created_at >= this - HOUR).having(enough)
    rows = await db.execute(lately.order_by(money.desc(), tokens.desc()).limit(MOST_AT_ONCE))
    looked_at = {row.whose for row in rows}
    found: dict[str | UUID, dict[datetime, dict[str, int]]] = defaultdict(dict)
    if looked_at:
        before = booked.where(UsageRecord.created_at >= _first(this), whose.in_(looked_at))
        for whom, place, paid, of in await db.execute(before):
            found[whom][place] = {"microdollars": paid, "tokens": of}
    return {**found}


def _first(this: datetime) -> datetime:
    return this - WEEKS * WEEK - 3 * HOUR


def _jump(sums: Sums, this: datetime, kind: str, whose: str | UUID) -> Found | None:
    settings = UsageSettings.load()
    # Models on machines of one's own cost no money: their tokens count.
    measures = (
        ("microdollars", int(settings.anomaly_dollars * 1_000_000)),
        ("tokens", settings.anomaly_tokens),
    )
    since = min(sums)
    name, user_id = ("", whose) if isinstance(whose, UUID) else (whose, None)
    for hour in (this - HOUR, this):
        for unit, least in measures:
            history = {place: one[unit] for place, one in sums.items()}
            found = jump(history, hour, since, factor=settings.anomaly_factor, least=least)
            if found:
                return Found(kind, name, user_id, hour, unit, history[hour], found)
    return None


async def _note(db: AsyncSession, organization_id: UUID, found: Found) -> bool:
    """Whether it is new; one that goes on is no other one."""
    last = await db.scalar(
        select(UsageAnomaly)
        .where(UsageAnomaly.organization_id == organization_id)
        .where(UsageAnomaly.kind == found.kind, UsageAnomaly.name == found.name)
        .where(UsageAnomaly.user_id.is_not_distinct_from(found.user_id))
        .order_by(UsageAnomaly.last_at.desc())
        .limit(1)
    )
    if last is not None and last.last_at >= found.hour - QUIET:
        last.last_at = max(found.hour, last.last_at)
        last.seen = max(found.seen, last.seen) if found.unit == last.unit else last.seen
        return False
    written = await db.scalar(
        insert(UsageAnomaly)
        .values(
            organization_id=organization_id,
            kind=found.kind,
            name=found.name,
            user_id=found.user_id,
            started_at=found.hour,
            last_at=found.hour,
            unit=found.unit,
            seen=found.seen,
            usual=round(found.usual.median),
        )
        .on_conflict_do_nothing()
        .returning(UsageAnomaly.id)
    )
    if written is None:
        return False
    detail = {
        "hour": f"{found.hour:%Y-%m-%dT%H:%MZ}",
        "of": found.kind,
        found.unit: found.seen,
        "usual": round(found.usual.median),
    }
    whose = found.user_id or found.name or None
    await audit.record(
        db, "usage.anomaly", organization_id=organization_id, target=whose, detail=detail
    )
    return True


async def _mail(db: AsyncSession, organization_id: UUID, new: Sequence[Found]) -> int:
    organization = await db.get_one(Organization, organization_id)
    readers = await entitled(db, organization_id, "usage.read")
    names = await names_of(db, {one.user_id for one in new if one.user_id})
    jumps = [
        {
            "whose": called(one.kind, one.name, names.get(one.user_id, "")),
            "started": f"{one.hour:%Y-%m-%d %H:%M}",
            "seen": _said(one.seen, one.unit),
            "usual": _said(round(one.usual.median), one.unit),
            "most": await _most(db, organization_id, one),
        }
        for one in new
    ]
    for one in readers:
        await mail.send(
            db,
            one.email,
            "usage/anomaly",
            name=one.display_name,
            organization=organization.name,
            jumps=jumps,
            link=links.to("/admin/usage", api="/api/usage/anomalies"),
        )
    return len(readers)


def called(kind: str, name: str, display_name: str) -> str:
    """Empty for the organisation."""
    return {"feature": f"Feature {name}", "model": f"Model {name}", "person": display_name}.get(
        kind, ""
    )


async def _most(db: AsyncSession, organization_id: UUID, found: Found) -> list[str]:
    """What cost most of it."""
    cost, tokens = (
        func.sum(UsageRecord.microdollars),
        func.sum(UsageRecord.input_tokens + UsageRecord.output_tokens),
    )
    query = (
        select(UsageRecord.feature, UsageRecord.model, cost, tokens, func.count())
        .where(UsageRecord.organization_id == organization_id, UsageRecord.state == "settled")
        .where(UsageRecord.created_at >= found.hour, UsageRecord.created_at < found.hour + HOUR)
        .group_by(UsageRecord.feature, UsageRecord.model)
        .order_by(cost.desc(), tokens.desc())
        .limit(3)
    )
    if found.kind in KINDS:
        query = query.where(KINDS[found.kind] == (found.user_id or found.name))
    return [
        f"{feature} with {model}: {calls:,} calls, {_said(int(of), 'tokens')},"
        f" {_said(int(paid), 'microdollars')}"
        for feature, model, paid, of, calls in await db.execute(query)
    ]


def _said(value: int, unit: str) -> str:
    return dollars(value) if unit == "microdollars" else f"{value:,} tokens"
