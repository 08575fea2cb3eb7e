"""How the queue stands: ages, agreement, and whether confidence means anything."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.core.clock import now
from app.prompts.statistics import Interval, wilson
from app.review.agreement import FEWEST, Agreement, agreement
from app.review.drawing import drawn
from app.review.models import ReviewItem, ReviewLook
from app.review.settings import ReviewSettings
from app.usage.models import UsageRecord

AGES = (
    ("< 1 h", timedelta(hours=1)),
    ("1–4 h", timedelta(hours=4)),
    ("4–24 h", timedelta(days=1)),
    ("1–3 d", timedelta(days=3)),
    ("3–7 d", timedelta(days=7)),
)
OLDER = "> 7 d"
BANDS = ((0, 24), (25, 49), (50, 74), (75, 89), (90, 100))
DAYS = 90
MOST = 10_000
__all__ = ["FEWEST", "Figures", "figures", "waiting"]


@dataclass(frozen=True)
class Band:
    """Of answers drawn at random with this confidence, how many people approved."""

    low: int
    high: int
    looked_at: int
    approved: Interval


@dataclass(frozen=True)
class Feature:
    """Whether the sample of a feature is what its rule says."""

    feature: str
    share: float
    answers: int
    drawn: int
    queued: int
    """Drawn, and there. What is drawn and not there are answers that asked for a tool first."""
    unexplained: int
    """There as a sample without being drawn at any share up to today's: nobody picks by hand."""


@dataclass(frozen=True)
class Waiting:
    open: int
    overdue: int
    ages: list[tuple[str, int]]


@dataclass(frozen=True)
class Figures(Waiting):
    done: int
    """Looks finished in the last 90 days."""
    in_time: Interval
    """The share of them that was there before its deadline."""
    median_hours: float | None
    """From the question to the verdict."""
    agreement: Agreement
    bands: list[Band]
    sample: list[Feature]


async def waiting(db: AsyncSession) -> Waiting:
    moment = now()
    age = case(*((ReviewLook.created_at > moment - most, name) for name, most in AGES), else_=OLDER)
    rows = await db.execute(
        select(
            age.label("age"),
            func.count().label("open"),
            func.count().filter(ReviewLook.due_at <= moment).label("overdue"),
        )
        .where(ReviewLook.state != "done")
        .group_by("age")
    )
    found = {row.age: row for row in rows}
    names = [*(name for name, _ in AGES), OLDER]
    return Waiting(
        open=sum(row.open for row in found.values()),
        overdue=sum(row.overdue for row in found.values()),
        ages=[(name, found[name].open if name in found else 0) for name in names],
    )


async def figures(db: AsyncSession) -> Figures:
    return Figures(
        **vars(await waiting(db)),
        **await _speed(db),
        agreement=agreement(await _pairs(db)),
        bands=await _bands(db),
        sample=[await _feature(db, name) for name in sorted(ReviewSettings.load().sample)],
    )


async def _speed(db: AsyncSession) -> dict[str, Any]:
    took = func.extract("epoch", ReviewLook.done_at - ReviewLook.created_at) / 3600
    row = (
        await db.execute(
            select(
                func.count(),
                func.count().filter(ReviewLook.done_at <= ReviewLook.due_at),
                func.percentile_cont(0.5).within_group(took),
            ).where(ReviewLook.state == "done", ReviewLook.done_at > now() - timedelta(days=DAYS))
        )
    ).one()
    median = None if row[2] is None else round(float(row[2]), 2)
    return {"done": row[0], "in_time": wilson(row[1], row[0]), "median_hours": median}


async def _pairs(db: AsyncSession) -> list[tuple[str, str]]:
    second = aliased(ReviewLook)
    rows = await db.execute(
        select(ReviewLook.verdict, second.verdict)
        .join(second, second.item_id == ReviewLook.item_id)
        .where(ReviewLook.number == 1, second.number == 2, second.state == "done")
        .where(second.done_at > now() - timedelta(days=DAYS))
        .limit(MOST)
    )
    return [(one, other) for one, other in rows]


async def _bands(db: AsyncSession) -> list[Band]:
    """Of the random sample only: what came for another reason is no sample of anything."""
    rows = await db.execute(
        select(
            ReviewItem.confidence,
            func.count().label("looked_at"),
            func.count().filter(ReviewItem.verdict == "approved").label("approved"),
        )
        .where(ReviewItem.sampled, ReviewItem.verdict != "", ReviewItem.confidence.is_not(None))
        .where(ReviewItem.resolved_at > now() - timedelta(days=DAYS))
        .group_by(ReviewItem.confidence)
    )
    found = rows.all()
    bands = []
    for low, high in BANDS:
        some = [row for row in found if low <= row.confidence <= high]
        count, approved = sum(row.looked_at for row in some), sum(row.approved for row in some)
        bands.append(Band(low, high, count, wilson(approved, count)))
    return bands


async def _feature(db: AsyncSession, feature: str) -> Feature:
    """Draw again. Only since the oldest sample, so that a share set lately is not held against."""
    share = ReviewSettings.load().sample[feature]
    sampled = set(
        await db.scalars(
            select(ReviewItem.call_id)
            .where(ReviewItem.feature == feature, ReviewItem.sampled)
            .order_by(ReviewItem.id.desc())
            .limit(MOST)
        )
    )
    since = now() - timedelta(days=DAYS)
    oldest = select(func.min(UsageRecord.created_at)).where(UsageRecord.id.in_(sampled))
    if sampled:
        since = max(since, (await db.scalar(oldest)) or since)
    calls = await db.scalars(
        select(UsageRecord.id)
        .where(
            UsageRecord.feature == feature,
            UsageRecord.outcome.in_(("answered", "reused")),
            UsageRecord.user_id.is_not(None),
            UsageRecord.created_at >= since,
        )
        .order_by(UsageRecord.id.desc())
        .limit(MOST)
    )
    made = list(calls)
    chosen = [one for one in made if drawn(one, share, "sample")]
    return Feature(
        feature=feature,
        share=share,
        answers=len(made),
        drawn=len(chosen),
        queued=sum(one in sampled for one in chosen),
        unexplained=sum(not drawn(one, share, "sample") for one in sampled),
    )
