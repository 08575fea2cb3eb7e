"""What was used: one's own, and for administrators the organisation's."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse

from app.access.access import allow
from app.access.person import Person
from app.core.clock import now
from app.core.db import Database
from app.usage import budget_pages, ceiling_pages, reports
from app.usage import month as by_month
from app.usage.anomalies import called
from app.usage.prices import Price, prices_between
from app.usage.reports import Allowance, Line
from app.web import render
from app.web.navigation import ACCOUNT, Link

router = APIRouter(include_in_schema=False)
router.routes.extend(budget_pages.router.routes)
router.routes.extend(ceiling_pages.router.routes)

NAVIGATION = [
    Link("Usage", "/usage", "usage.read_own", ACCOUNT, "chart", 30),
    Link("Usage", "/admin/usage", "usage.read", "Use and quality", "chart", 70),
    ceiling_pages.LINK,
]
MILLION = 1_000_000
BARS = 6
MOST_PEOPLE = 200


@dataclass(frozen=True)
class Month:
    """A month of UTC, `since` its first moment and `until` the first one after it."""

    since: datetime
    until: datetime

    @property
    def is_this(self) -> bool:
        return self.since <= now() < self.until

    @property
    def days(self) -> list[datetime]:
        """Its days, in the current month those that have begun."""
        last = min(self.until - timedelta(days=1), now())
        return [self.since + timedelta(days=n) for n in range((last - self.since).days + 1)]

    @property
    def before(self) -> str:
        return f"{self.since - timedelta(days=1):%Y-%m}"

    @property
    def after(self) -> str:
        return f"{self.until:%Y-%m}"


def _month(
    month: Annotated[str, Query(pattern=r"^20\d\d-(0[1-9]|1[0-2])$|^$")] = "",
) -> Month:
    since = (
        datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC) if month else reports.month_start()
    )
    return Month(since, (since + timedelta(days=31)).replace(day=1))


Chosen = Annotated[Month, Depends(_month)]


@router.get("/usage")
async def show_own(
    request: Request,
    db: Database,
    person: Annotated[Person, allow("usage.read_own")],
    month: Chosen,
) -> HTMLResponse:
    span, mine = (month.since, month.until), person.user_id
    days = await reports.by_day(db, *span, user_id=mine)
    features = await reports.by_feature(db, *span, user_id=mine)
    left = await reports.allowances(db, person) if month.is_this else []
    return render(
        request,
        "usage/own.html",
        person=person,
        allowances=_binding(left),
        features=features,
        **_shown(month, days),
    )


@router.get("/admin/usage")
async def show_organization(
    request: Request,
    db: Database,
    person: Annotated[Person, allow("usage.read")],
    month: Chosen,
) -> HTMLResponse:
    span = (month.since, month.until)
    sums = await by_month.sums(db, *span, most=MOST_PEOPLE + 1)
    days = await by_month.days(db, *span)
    waits = {one.line.day: one for one in days}
    left = await reports.allowances(db, person) if month.is_this else []
    return render(
        request,
        "usage/organization.html",
        person=person,
        allowances=[one for one in left if one.holder == "organization" and one.limit is not None],
        people=sums.people[:MOST_PEOPLE],
        most=MOST_PEOPLE if len(sums.people) > MOST_PEOPLE else None,
        features=sums.features,
        by_feature=_costs(sums.features, "feature"),
        by_model=_costs(sums.features, "model"),
        prompts=sums.prompts,
        centers=sums.centers if any(one.cost_center for one in sums.centers) else [],
        waits=[
            ("Half of all", [_seconds(waits.get(day), "half") for day in month.days]),
            ("95 of 100", [_seconds(waits.get(day), "most") for day in month.days]),
        ],
        latency=await reports.latency_by_model(db, *span),
        prices=_prices(sums.models, month),
        anomalies=[
            (one.row, called(one.row.kind, one.row.name, one.display_name))
            for one in await reports.anomalies(db, *span)
        ],
        **_shown(month, [one.line for one in days]),
    )


def _prices(models: Sequence[tuple[str, str]], month: Month) -> list[tuple[str, Price]]:
    """What the models cost in this month; in the current one also what they will cost."""
    until = None if month.is_this else month.until
    return [
        (model, price)
        for provider, model in models
        for price in prices_between(provider, model, month.since, until)
    ]


def _costs(lines: Sequence[Line], key: str) -> list[tuple[str, Decimal]]:
    """What each of these cost, the dearest first, and the rest in one sum."""
    sums: Counter[str] = Counter()
    for line in lines:
        sums[getattr(line, key)] += line.microdollars
    found = sums.most_common()
    rest = sum(cost for _, cost in found[BARS:])
    shown = found[:BARS] + ([("others", rest)] if rest else [])
    return [(name, dollars(cost)) for name, cost in shown]


def _seconds(day: by_month.Day | None, name: str) -> float | None:
    took = getattr(day, name, None)
    return None if took is None else float(took) / 1000


def _shown(month: Month, lines: Sequence[Line]) -> dict[str, Any]:
    """The sums of a month, and its days with those on which nothing happened."""
    found = {line.day: line for line in lines}
    nothing = Line(0, 0, 0, 0)
    days = [(day, found.get(day, nothing)) for day in month.days]
    labels = [f"{day.day} {day:%b}" for day, _ in days]
    return {
        "month": month,
        "total": Line(
            sum(line.calls for line in lines),
            sum(line.input_tokens for line in lines),
            sum(line.output_tokens for line in lines),
            sum(line.microdollars for line in lines),
        ),
        "labels": labels,
        "input_tokens": [line.input_tokens for _, line in days],
        "output_tokens": [line.output_tokens for _, line in days],
        "costs": [
            (label, dollars(line.microdollars))
            for label, (_, line) in zip(labels, days, strict=True)
        ],
        "dollars": dollars,
    }


def _binding(found: Sequence[Allowance]) -> list[Allowance]:
    """The budgets that have a limit, one's own first, the shortest first."""
    bound = [one for one in found if one.limit is not None]
    order = ("hour", "day", "month")
    return sorted(bound, key=lambda one: (one.holder != "person", order.index(one.period)))


def dollars(microdollars: int) -> Decimal:
    return Decimal(microdollars) / MILLION
