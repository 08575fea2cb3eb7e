"""A month of an organisation for its page, which reads the calls as seldom as it can."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, cast, func, literal_column, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.usage.models import UsageRecord
from app.usage.reports import Line, names_of

# Not "1 day", which the zone of a session may make an hour longer.
A_DAY: ColumnElement[timedelta] = literal_column("interval '24 hours'")
TOTALS = ("calls", "input_tokens", "output_tokens", "microdollars")
SUMMED = [
    func.count().label("calls"),
    *(cast(func.sum(getattr(UsageRecord, name)), BigInteger).label(name) for name in TOTALS[1:]),
]
SETTLED = UsageRecord.state == "settled"
PEOPLE, FEATURES, PROMPTS, MODELS, CENTERS = (
    ("user_id", "feature"),
    ("feature", "model"),
    ("prompt", "prompt_version"),
    ("provider", "model"),
    ("cost_center",),
)
KEYS = list(dict.fromkeys((*PEOPLE, *FEATURES, *PROMPTS, *MODELS, *CENTERS)))


@dataclass(frozen=True)
class Sums:
    """The dearest first; the models are providers and models by name."""

    people: list[Line]
    features: list[Line]
    prompts: list[Line]
    centers: list[Line]
    models: list[tuple[str, str]]


@dataclass(frozen=True)
class Day:
    """Milliseconds until half, and 95 of 100, of the answers were there."""

    line: Line
    half: float | None
    most: float | None


async def sums(db: AsyncSession, since: datetime, until: datetime, *, most: int) -> Sums:
    """`most` people with their features, and everything else, from one reading of the calls."""
    # What differs in any way comes first: over that, PostgreSQL can share the work.
    cells = (
        select(*(getattr(UsageRecord, key) for key in KEYS), *SUMMED)
        .where(SETTLED, UsageRecord.created_at >= since, UsageRecord.created_at < until)
        .group_by(*(getattr(UsageRecord, key) for key in KEYS))
        .cte("cells")
    ).c
    totals = [cast(func.sum(cells[name]), BigInteger).label(name) for name in TOTALS]
    # A bit is set for each column that does not count: so each of the sets has its number.
    told = (cells.user_id, cells.prompt, cells.provider, cells.cost_center)
    which = func.grouping(*told).label("which")
    sets = (PEOPLE, FEATURES, PROMPTS, MODELS, CENTERS)
    rows = await db.execute(
        select(which, *(cells[key] for key in KEYS), *totals)
        .group_by(func.grouping_sets(*(tuple_(*(cells[key] for key in keys)) for keys in sets)))
        .order_by(totals[-1].desc(), totals[0].desc())
    )
    found: dict[int, list[Any]] = {0b0111: [], 0b1111: [], 0b1011: [], 0b1101: [], 0b1110: []}
    for row in rows:
        found[row.which].append(row)
    people, features, prompts, models, centers = found.values()
    names = await names_of(db, {row.user_id for row in people[:most] if row.user_id})
    return Sums(
        [_line(row, PEOPLE, names.get(row.user_id, "")) for row in people[:most]],
        [_line(row, FEATURES) for row in features],
        [_line(row, PROMPTS) for row in prompts if row.prompt],
        [_line(row, CENTERS) for row in centers],
        sorted((row.provider, row.model) for row in models),
    )


def _line(row: Any, keys: tuple[str, ...], name: str = "") -> Line:
    numbers = {key: getattr(row, key) for key in (*TOTALS, *keys)}
    return Line(**numbers, display_name=name)


async def days(db: AsyncSession, since: datetime, until: datetime) -> list[Day]:
    """Each day of UTC on which something was settled, in order. `since` begins a day.

    The index gives the calls of one day after the other, so none of them has to be sorted by day.
    """
    last = until - timedelta(microseconds=1)
    day = select(func.generate_series(since, last, A_DAY).label("day")).subquery().c.day
    took = 1000 * func.extract("epoch", UsageRecord.finished_at - UsageRecord.created_at)
    of = (
        select(
            *SUMMED,
            *(
                func.percentile_cont(share)
                .within_group(took)
                .filter(UsageRecord.outcome == "answered")
                .label(name)
                for name, share in (("half", 0.5), ("most", 0.95))
            ),
        )
        .where(SETTLED, UsageRecord.created_at >= day)
        .where(UsageRecord.created_at < day + A_DAY)
        .lateral()
        .c
    )
    rows = await db.execute(
        select(day, *of).join(of.calls.table, true()).where(of.calls > 0).order_by(day)
    )
    return [Day(_line(row, ("day",)), row.half, row.most) for row in rows]
