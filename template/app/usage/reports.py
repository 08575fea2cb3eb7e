"""What was used and what is left, for pages, exports and the JSON API."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.access.person import Person
from app.core.clock import now
from app.usage.budgets import PEOPLE, limits
from app.usage.models import UsageAnomaly, UsageRecord

MOST_ANOMALIES = 200
WINDOWS = text("""
    SELECT w.user_id, w.period, w.ends_at,
           coalesce(c.calls + c.reserved_calls, 0) AS calls,
           coalesce(c.tokens + c.reserved_tokens, 0) AS tokens,
           coalesce(c.microdollars + c.reserved_microdollars, 0) AS microdollars
    FROM usage_windows(:user_id, now()) w
    LEFT JOIN usage_counters c ON c.organization_id = :organization_id
          AND c.user_id IS NOT DISTINCT FROM w.user_id
          AND c.period = w.period AND c.starts_at = w.starts_at
    ORDER BY w.user_id NULLS FIRST, array_position(ARRAY['hour', 'day', 'month'], w.period)
""")


@dataclass(frozen=True)
class Line:
    """A sum of calls. What it is the sum of stands in the fields that are not empty."""

    calls: int
    input_tokens: int
    output_tokens: int
    microdollars: int
    user_id: UUID | None = None
    display_name: str = ""
    feature: str = ""
    model: str = ""
    day: datetime | None = None
    prompt: str = ""
    prompt_version: int | None = None
    cost_center: str = ""


@dataclass(frozen=True)
class Allowance:
    """One budget: `used` includes what is reserved for calls under way; no limit is None."""

    holder: str
    """person or organization"""
    period: str
    """hour, day or month"""
    unit: str
    """calls or tokens; a month's are microdollars, millionths of a US dollar"""
    used: int
    limit: int | None
    ends_at: datetime


def month_start() -> datetime:
    return now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)


async def by_feature(
    db: AsyncSession, since: datetime, until: datetime, *, user_id: UUID | None = None
) -> list[Line]:
    """Sums for each feature and model; of one person, or of everyone in the organisation."""
    keys = (UsageRecord.feature, UsageRecord.model)
    return await _sums(db, since, until, *keys, user_id=user_id)


async def by_person(db: AsyncSession, since: datetime, until: datetime, *, most: int) -> list[Line]:
    """Sums for each person and feature, the dearest first."""
    keys = (UsageRecord.user_id, UsageRecord.feature)
    return await _sums(db, since, until, *keys, most=most)


async def by_day(
    db: AsyncSession, since: datetime, until: datetime, *, user_id: UUID | None = None
) -> list[Line]:
    """Sums for each day of UTC, in order."""
    day = func.date_trunc("day", UsageRecord.created_at, "UTC").label("day")
    lines = await _sums(db, since, until, day, user_id=user_id)
    return sorted(lines, key=lambda line: line.day or since)


async def by_prompt(db: AsyncSession, since: datetime, until: datetime) -> list[Line]:
    """Sums for each version of a registered prompt, the dearest first."""
    keys = (UsageRecord.prompt, UsageRecord.prompt_version)
    return [line for line in await _sums(db, since, until, *keys) if line.prompt]


async def models(db: AsyncSession, since: datetime, until: datetime) -> list[tuple[str, str]]:
    """Providers and models that were used, by name."""
    rows = await db.execute(
        select(UsageRecord.provider, UsageRecord.model)
        .where(UsageRecord.state == "settled")
        .where(UsageRecord.created_at >= since, UsageRecord.created_at < until)
        .distinct()
        .order_by(UsageRecord.provider, UsageRecord.model)
    )
    return [(row.provider, row.model) for row in rows]


async def by_cost_center(db: AsyncSession, since: datetime, until: datetime) -> list[Line]:
    """Sums for each cost centre, the dearest first."""
    return await _sums(db, since, until, UsageRecord.cost_center)


@dataclass(frozen=True)
class Latency:
    """Milliseconds that answers took: half, 95 and 99 of a hundred were there by then."""

    calls: int
    first_p50: float | None
    first_p95: float | None
    p50: float
    p95: float
    p99: float
    provider: str = ""
    model: str = ""
    day: datetime | None = None


async def latency_by_model(db: AsyncSession, since: datetime, until: datetime) -> list[Latency]:
    """Of answers that came to their end, the most asked model first."""
    return await _latency(db, since, until, UsageRecord.provider, UsageRecord.model)


async def latency_by_day_and_model(
    db: AsyncSession, since: datetime, until: datetime
) -> list[Latency]:
    day = func.date_trunc("day", UsageRecord.created_at, "UTC").label("day")
    return await _latency(db, since, until, day, UsageRecord.provider, UsageRecord.model)


async def _latency(
    db: AsyncSession,
    since: datetime,
    until: datetime,
    *keys: ColumnElement[Any] | InstrumentedAttribute[Any],
) -> list[Latency]:
    took = 1000 * func.extract("epoch", UsageRecord.finished_at - UsageRecord.created_at)
    rows = await db.execute(
        select(
            *keys,
            func.count().label("calls"),
            *(
                func.percentile_cont(share).within_group(of).label(name)
                for name, share, of in (
                    ("first_p50", 0.5, UsageRecord.first_text_ms),
                    ("first_p95", 0.95, UsageRecord.first_text_ms),
                    ("p50", 0.5, took),
                    ("p95", 0.95, took),
                    ("p99", 0.99, took),
                )
            ),
        )
        .where(UsageRecord.state == "settled", UsageRecord.outcome == "answered")
        .where(UsageRecord.created_at >= since, UsageRecord.created_at < until)
        .group_by(*keys)
        .order_by(func.count().desc())
    )
    return [Latency(**row) for row in rows.mappings()]


@dataclass(frozen=True)
class Anomaly:
    row: UsageAnomaly
    display_name: str
    """Of the person whose hours they are."""


async def anomalies(db: AsyncSession, since: datetime, until: datetime) -> list[Anomaly]:
    """Hours of this time that cost far more than usual, the newest first."""
    rows = await db.scalars(
        select(UsageAnomaly)
        .where(UsageAnomaly.started_at >= since, UsageAnomaly.started_at < until)
        .order_by(UsageAnomaly.started_at.desc())
        .limit(MOST_ANOMALIES)
    )
    found = rows.all()
    names = await names_of(db, {one.user_id for one in found if one.user_id})
    return [Anomaly(one, names.get(one.user_id, "")) for one in found]


async def _sums(
    db: AsyncSession,
    since: datetime,
    until: datetime,
    *keys: ColumnElement[Any] | InstrumentedAttribute[Any],
    user_id: UUID | None = None,
    most: int | None = None,
) -> list[Line]:
    # Sums of bigint are numeric in PostgreSQL; cast back, the ledger's numbers are whole.
    totals = [
        cast(func.sum(one), BigInteger).label(one.key)
        for one in (UsageRecord.input_tokens, UsageRecord.output_tokens, UsageRecord.microdollars)
    ]
    query = (
        select(*keys, func.count().label("calls"), *totals)
        .where(UsageRecord.state == "settled")
        .where(UsageRecord.created_at >= since, UsageRecord.created_at < until)
        .group_by(*keys)
        .order_by(totals[-1].desc(), func.count().desc())
        .limit(most)
    )
    if user_id:
        query = query.where(UsageRecord.user_id == user_id)
    rows = (await db.execute(query)).mappings().all()
    names = await names_of(db, {row["user_id"] for row in rows if row.get("user_id")})
    return [Line(**row, display_name=names.get(row.get("user_id"), "")) for row in rows]


async def names_of(db: AsyncSession, ids: set[UUID]) -> dict[UUID | None, str]:
    if not ids:
        return {}
    rows = await db.execute(select(PEOPLE).where(PEOPLE.c.id.in_(ids)))
    return {row.id: row.display_name for row in rows}


async def allowances(db: AsyncSession, person: Person) -> list[Allowance]:
    """Every budget that binds a person now, the organisation's first, the shortest first."""
    rows = await db.execute(
        WINDOWS, {"organization_id": person.organization_id, "user_id": person.user_id}
    )
    bounds = await limits(db, person.organization_id, person.user_id)
    found = []
    for row in rows:
        holder = "person" if row.user_id else "organization"
        numbers = (
            {"": ("microdollars", row.microdollars)}
            if row.period == "month"
            else {"calls_": ("calls", row.calls), "": ("tokens", row.tokens)}
        )
        for prefix, (unit, used) in numbers.items():
            limit = bounds[f"{holder}_{prefix}{row.period}"]
            found.append(Allowance(holder, row.period, unit, used, limit, row.ends_at))
    return found
