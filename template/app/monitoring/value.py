"""What people get out of it: tasks, how many were solved, what that cost and may have saved.

A task is what one person asks of one feature on one day with pauses below
MONITORING_TASK_GAP_MINUTES: who asks again, because the answer was of no use, makes no second task.
It is solved when the last thumb in it points up; without a thumb, when its last question was
answered, the model did not say no, and no person was needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.monitoring.settings import MonitoringSettings
from app.prompts.statistics import Interval, wilson
from app.usage import reports

# Row security limits each table to the organisation; `asker` is a person on a day.
TASKS = """
    WITH calls AS (
        SELECT *, created_at - lag(created_at) OVER person > :gap AS is_later
        FROM monitoring_calls WHERE created_at >= :since AND created_at < :until
        WINDOW person AS (PARTITION BY feature, asker ORDER BY created_at, id)
    ), numbered AS (
        SELECT *, count(*) FILTER (WHERE is_later) OVER (
            PARTITION BY feature, asker ORDER BY created_at, id) AS number
        FROM calls
    ), tasks AS (
        SELECT c.feature, min(c.created_at) AS began, count(*) AS calls,
               (array_agg(c.outcome = 'answered' AND NOT c.declined
                   ORDER BY c.created_at DESC, c.id DESC))[1] AS ended_well,
               (array_agg(f.rating ORDER BY c.created_at DESC, c.id DESC)
                   FILTER (WHERE f.rating IS NOT NULL))[1] AS thumb,
               bool_or(i.id IS NOT NULL) AS escalated
        FROM numbered c
        LEFT JOIN feedback f ON f.call_id = c.id
        LEFT JOIN review_items i ON i.call_id = c.id AND i.reason <> 'sampled'
        GROUP BY c.feature, c.asker, c.number
    )
    SELECT {key} AS key, count(*) AS tasks, CAST(sum(calls) AS bigint) AS calls,
           count(*) FILTER (WHERE thumb = 'up'
               OR (thumb IS NULL AND ended_well AND NOT escalated)) AS solved,
           count(*) FILTER (WHERE escalated) AS escalated,
           count(*) FILTER (WHERE thumb = 'down') AS thumbs_down
    FROM tasks GROUP BY 1 ORDER BY 2 DESC
"""
BY_FEATURE = text(TASKS.format(key="feature"))
BY_DAY = text(TASKS.format(key="date_trunc('day', began, 'UTC')"))


@dataclass(frozen=True)
class Value:
    """Of a feature, of a day, or of everything."""

    tasks: int
    calls: int
    solved: int
    escalated: int
    thumbs_down: int
    microdollars: int = 0
    """Of all calls of the feature, of solved tasks and of others."""
    feature: str = ""
    day: datetime | None = None

    @property
    def share(self) -> Interval:
        """Solved, with the interval of 95 %."""
        return wilson(self.solved, self.tasks)

    @property
    def microdollars_per_solved(self) -> int | None:
        return round(self.microdollars / self.solved) if self.solved else None

    @property
    def minutes_saved(self) -> float:
        return self.solved * MonitoringSettings.load().minutes_per_task


async def by_feature(db: AsyncSession, since: datetime, until: datetime) -> list[Value]:
    """Features that people asked, the most asked first."""
    costs: dict[str, int] = {}
    for line in await reports.by_feature(db, since, until):
        costs[line.feature] = costs.get(line.feature, 0) + line.microdollars
    rows = await db.execute(BY_FEATURE, _values(since, until))
    return [
        Value(**_numbers(row), feature=row["key"], microdollars=costs.get(row["key"], 0))
        for row in rows.mappings()
    ]


async def by_day(db: AsyncSession, since: datetime, until: datetime) -> list[Value]:
    rows = await db.execute(BY_DAY, _values(since, until))
    return [Value(**_numbers(row), day=row["key"]) for row in rows.mappings()]


def total(found: Sequence[Value]) -> Value:
    names = ("tasks", "calls", "solved", "escalated", "thumbs_down", "microdollars")
    return Value(**{name: sum(getattr(one, name) for one in found) for name in names})


def _values(since: datetime, until: datetime) -> dict[str, Any]:
    gap = timedelta(minutes=MonitoringSettings.load().task_gap_minutes)
    return {"since": since, "until": until, "gap": gap}


def _numbers(row: Any) -> dict[str, Any]:
    return {name: row[name] for name in ("tasks", "calls", "solved", "escalated", "thumbs_down")}
