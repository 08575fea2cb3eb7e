"""How good answers are, as the judge and people say: by prompt version and model, and by day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.feedback.models import Feedback
from app.monitoring.judging import CRITERIA
from app.monitoring.models import Calibration, Judgement
from app.prompts.statistics import Interval, wilson
from app.usage.models import UsageRecord


@dataclass(frozen=True)
class Share:
    """How many of so many, with the interval of 95 %."""

    hits: int
    of: int

    @property
    def interval(self) -> Interval:
        return wilson(self.hits, self.of)


@dataclass(frozen=True)
class Quality:
    """Of one version of a prompt with one model, or of one day."""

    judged: int
    shares: Mapping[str, Share]
    """By criterion, and `thumbs`: those that point up."""
    feature: str = ""
    prompt: str = ""
    prompt_version: int | None = None
    model: str = ""
    day: datetime | None = None


COUNTS = [
    counted
    for name in CRITERIA
    for counted in (
        func.count().filter(getattr(Judgement, name).is_(True)).label(f"{name}_hits"),
        func.count().filter(getattr(Judgement, name).is_not(None)).label(f"{name}_of"),
    )
]
Key = tuple[str, str, int | None, str]


async def by_version(db: AsyncSession, since: datetime, until: datetime) -> list[Quality]:
    """For each feature, prompt version and model, the most judged first."""
    keys = [getattr(Judgement, n) for n in ("feature", "prompt", "prompt_version", "model")]
    rows = await db.execute(
        select(*keys, func.count().label("judged"), *COUNTS)
        .where(Judgement.state == "judged")
        .where(Judgement.created_at >= since, Judgement.created_at < until)
        .group_by(*keys)
    )
    judged = {(row[0], row[1], row[2], row[3]): row._mapping for row in rows}
    thumbs = await _thumbs(db, since, until)
    found = [
        Quality(
            row["judged"] if (row := judged.get(key)) else 0,
            (_shares(row) if row else {}) | ({"thumbs": thumbs[key]} if key in thumbs else {}),
            *key,
        )
        for key in judged.keys() | thumbs.keys()
    ]
    return sorted(
        found, key=lambda one: (-one.judged, one.feature, one.prompt, -(one.prompt_version or 0))
    )


async def by_day(db: AsyncSession, since: datetime, until: datetime) -> list[Quality]:
    """The days of UTC on which something was judged, in order."""
    day = func.date_trunc("day", Judgement.created_at, "UTC").label("day")
    rows = await db.execute(
        select(day, func.count().label("judged"), *COUNTS)
        .where(Judgement.state == "judged")
        .where(Judgement.created_at >= since, Judgement.created_at < until)
        .group_by(day)
        .order_by(day)
    )
    return [Quality(row["judged"], _shares(row), day=row["day"]) for row in rows.mappings()]


async def waiting(db: AsyncSession, since: datetime) -> Mapping[str, int]:
    """How many judgements there are in each state."""
    rows = await db.execute(
        select(Judgement.state, func.count().label("calls"))
        .where(Judgement.created_at >= since)
        .group_by(Judgement.state)
    )
    return {row.state: row.calls for row in rows}


async def judge_of_now(db: AsyncSession) -> Calibration | None:
    """The judge that was tried last, with how far it agrees with people."""
    return await db.scalar(select(Calibration).order_by(Calibration.id.desc()).limit(1))


def _shares(row: Any) -> dict[str, Share]:
    return {
        name: Share(row[f"{name}_hits"], row[f"{name}_of"])
        for name in CRITERIA
        if row[f"{name}_of"]
    }


async def _thumbs(db: AsyncSession, since: datetime, until: datetime) -> Mapping[Key, Share]:
    record = UsageRecord
    keys = (record.feature, record.prompt, record.prompt_version, record.model)
    rows = (
        await db.execute(
            select(*keys, func.count().filter(Feedback.rating == "up"), func.count())
            .join(Feedback, Feedback.call_id == record.id)
            .where(and_(Feedback.created_at >= since, Feedback.created_at < until))
            .group_by(*keys)
        )
    ).all()
    return {(row[0], row[1], row[2], row[3]): Share(row[4], row[5]) for row in rows}
