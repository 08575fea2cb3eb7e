"""How long answers take and how calls end, day by day."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.monitoring.models import MonitoredCall


@dataclass(frozen=True)
class Outcomes:
    """How the calls of a day, or of a feature, ended."""

    calls: int
    answered: int
    declined: int
    """Answers in which the model itself says no."""
    refused: int
    """Before a model was asked: by an input guard, a budget or a limit."""
    by_input_guard: int
    withheld: int
    """Answers that an output guard stopped."""
    failed: int
    left: int
    """The person did not wait for the end."""
    day: datetime | None = None
    feature: str = ""

    @property
    def stopped(self) -> int:
        """By a guard, before or after."""
        return self.by_input_guard + self.withheld


def counts() -> list[object]:
    outcome = MonitoredCall.outcome
    return [
        func.count().label("calls"),
        func.count().filter(outcome == "answered").label("answered"),
        func.count().filter(outcome == "answered", MonitoredCall.declined).label("declined"),
        func.count().filter(outcome == "refused").label("refused"),
        func.count()
        .filter(outcome == "refused", MonitoredCall.guard != "")
        .label("by_input_guard"),
        func.count().filter(outcome == "withheld").label("withheld"),
        func.count().filter(outcome == "failed").label("failed"),
        func.count().filter(outcome == "left").label("left"),
    ]


async def outcomes_by_day(db: AsyncSession, since: datetime, until: datetime) -> list[Outcomes]:
    """The days of UTC on which anything was asked, in order."""
    day = func.date_trunc("day", MonitoredCall.created_at, "UTC").label("day")
    return await _outcomes(db, since, until, day)


async def outcomes_by_feature(db: AsyncSession, since: datetime, until: datetime) -> list[Outcomes]:
    return await _outcomes(db, since, until, MonitoredCall.feature)


async def _outcomes(
    db: AsyncSession, since: datetime, until: datetime, key: object
) -> list[Outcomes]:
    rows = await db.execute(
        select(key, *counts())  # type: ignore[call-overload]
        .where(MonitoredCall.created_at >= since, MonitoredCall.created_at < until)
        .group_by(key)
        .order_by(key)
    )
    return [Outcomes(**row) for row in rows.mappings()]
