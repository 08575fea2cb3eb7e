"""How the app does for an organisation, to look at."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from app.access.access import allow
from app.access.person import Person
from app.core.db import Database
from app.evals.settings import EvalsSettings
from app.monitoring import drift, quality, retraining_pages, speed, value
from app.monitoring.judging import CRITERIA
from app.monitoring.models import DriftReading
from app.monitoring.settings import JudgeSettings, MonitoringSettings
from app.monitoring.span import CHOICES, Days, Span
from app.usage import reports
from app.usage.prices import MILLION
from app.usage.reports import Latency
from app.users.operators import is_operator
from app.web import render
from app.web.navigation import Link

PAGE = "/monitoring"
NAVIGATION = [
    Link("Monitoring", PAGE, "monitoring.read", "Use and quality", "chart", 73),
    Link(
        "Retraining",
        retraining_pages.PAGE,
        "monitoring.retrain",
        "Model",
        "refresh",
        79,
        shown=is_operator,
    ),
]
TABS = [
    ("Speed and errors", PAGE),
    ("Quality", f"{PAGE}/quality"),
    ("Drift", f"{PAGE}/drift"),
    ("Value", f"{PAGE}/value"),
]
MODELS = 4
"""Lines that a chart can tell apart."""

router = APIRouter(prefix=PAGE, include_in_schema=False)
router.routes.extend(retraining_pages.router.routes)
Reader = Annotated[Person, allow("monitoring.read")]


@router.get("")
async def show_speed(request: Request, db: Database, person: Reader, span: Days) -> HTMLResponse:
    found = await reports.latency_by_day_and_model(db, span.since, span.until)
    outcomes = {one.day: one for one in await speed.outcomes_by_day(db, span.since, span.until)}
    days = [outcomes.get(day) for day in span.days]
    return render(
        request,
        "monitoring/speed.html",
        person=person,
        lines={
            title: _by_model(span, found, name)
            for title, name in (
                ("Seconds until the first word, half of all", "first_p50"),
                ("Seconds until the first word, 95 of 100", "first_p95"),
                ("Seconds until the whole answer, half of all", "p50"),
                ("Seconds until the whole answer, 95 of 100", "p95"),
            )
        },
        latency=await reports.latency_by_model(db, span.since, span.until),
        ends=[
            (label, [_percent(read(one), one.calls) if one else None for one in days])
            for label, read in ENDS
        ],
        features=await speed.outcomes_by_feature(db, span.since, span.until),
        total=sum(one.calls for one in days if one),
        **around(PAGE, span),
    )


ENDS: Sequence[tuple[str, Callable[[speed.Outcomes], int]]] = (
    ("Failed", lambda one: one.failed),
    ("Stopped by a guard", lambda one: one.stopped),
    ("The model said no", lambda one: one.declined),
    ("Not waited for", lambda one: one.left),
)


@router.get("/quality")
async def show_quality(request: Request, db: Database, person: Reader, span: Days) -> HTMLResponse:
    days = {one.day: one for one in await quality.by_day(db, span.since, span.until)}
    judge, settings = await quality.judge_of_now(db), JudgeSettings.load()
    least = EvalsSettings.load().least_agreement
    return render(
        request,
        "monitoring/quality.html",
        person=person,
        versions=await quality.by_version(db, span.since, span.until),
        columns=[*CRITERIA, "thumbs"],
        lines=[(name.capitalize(), _shares(span, days, name)) for name in CRITERIA],
        judged=sum(one.judged for one in days.values()),
        states=await quality.waiting(db, span.since),
        judge=judge,
        doubted=[name for name in CRITERIA if judge and judge.kappas[name] < least],
        is_on=settings.is_on,
        percent=MonitoringSettings.load().sample_percent,
        **around(f"{PAGE}/quality", span),
    )


@router.get("/drift")
async def show_drift(request: Request, db: Database, person: Reader, span: Days) -> HTMLResponse:
    found = await drift.readings(db, span.since)
    newest = max((one.day for one in found), default=None)
    by_feature: dict[str, dict[str, dict[datetime, DriftReading]]] = {}
    for one in found:
        by_feature.setdefault(one.feature, {}).setdefault(one.measure, {})[one.day] = one
    settings = MonitoringSettings.load()
    return render(
        request,
        "monitoring/drift.html",
        person=person,
        alerts=await drift.alerts(db, span.since),
        features={
            feature: {
                "now": [one[newest] for one in measures.values() if newest in one],
                "charts": [
                    (title, lines)
                    for title, kinds in KINDS
                    if (lines := _effects(span, measures, kinds))
                ],
            }
            for feature, measures in by_feature.items()
        },
        newest=newest,
        alpha=settings.drift_alpha,
        least=settings.drift_least_calls,
        **around(f"{PAGE}/drift", span),
    )


KINDS = (
    ("Questions and answers: stability index by day", ("ordered", "named")),
    ("Shares: Cohen's h by day", ("share",)),
)


def _effects(
    span: Span, measures: Mapping[str, Mapping[datetime, DriftReading]], kinds: Sequence[str]
) -> list[tuple[str, list[float]]]:
    """The measures that moved most, as lines; a day without a look is 0."""
    chosen = {
        name: days for name, days in measures.items() if next(iter(days.values())).kind in kinds
    }
    most = sorted(chosen, key=lambda name: -max(one.effect for one in chosen[name].values()))
    return [
        (
            name.capitalize(),
            [round(days[day].effect, 3) if day in days else 0.0 for day in span.days],
        )
        for name in most[:MODELS]
        if (days := chosen[name])
    ]


@router.get("/value")
async def show_value(request: Request, db: Database, person: Reader, span: Days) -> HTMLResponse:
    features = await value.by_feature(db, span.since, span.until)
    days = {one.day: one for one in await value.by_day(db, span.since, span.until)}
    drawn = [days.get(day) for day in span.days]
    settings = MonitoringSettings.load()
    return render(
        request,
        "monitoring/value.html",
        person=person,
        total=value.total(features),
        features=features,
        tasks=[
            ("Tasks", [one.tasks if one else 0 for one in drawn]),
            ("Solved", [one.solved if one else 0 for one in drawn]),
            ("Escalated", [one.escalated if one else 0 for one in drawn]),
        ],
        dollars=lambda amount: Decimal(amount) / MILLION,
        minutes=settings.minutes_per_task,
        gap=settings.task_gap_minutes,
        **around(f"{PAGE}/value", span),
    )


def around(path: str, span: Span) -> dict[str, Any]:
    """What every page of this module shows: its tabs, and the days to choose from."""
    return {
        "tabs": TABS,
        "path": path,
        "span": span,
        "labels": span.labels,
        "lengths": [(f"{days} days", f"{path}?days={days}") for days in CHOICES],
        "chosen": f"{path}?days={span.length}",
    }


def _by_model(
    span: Span, found: Sequence[Latency], name: str
) -> list[tuple[str, list[float | None]]]:
    """A line for each of the models that were asked most, in seconds; nothing asked is a gap."""
    calls: dict[str, int] = {}
    seen: dict[tuple[str, datetime | None], float] = {}
    for one in found:
        calls[one.model] = calls.get(one.model, 0) + one.calls
        seen[one.model, one.day] = max(
            (getattr(one, name) or 0.0) / 1000, seen.get((one.model, one.day), 0.0)
        )
    most = sorted(calls, key=lambda model: -calls[model])[:MODELS]
    lines = [(model, [seen.get((model, day)) for day in span.days]) for model in most]
    return [(model, [one and round(one, 3) for one in values]) for model, values in lines]


def _shares(
    span: Span, days: dict[datetime | None, quality.Quality], name: str
) -> list[float | None]:
    found = [days[day].shares.get(name) if day in days else None for day in span.days]
    return [_percent(one.hits, one.of) if one and one.of else None for one in found]


def _percent(hits: int, of: int) -> float:
    return round(100 * hits / of, 1) if of else 0.0
