"""How the app does for an organisation, as numbers; nobody's words and nobody's name."""

from fastapi import APIRouter

from app.access.access import allow
from app.core.db import Database
from app.monitoring import drift, quality, retraining_endpoints, speed, value
from app.monitoring.schemas import (
    AlertOut,
    DriftOut,
    JudgeOut,
    OutcomesOut,
    QualityOut,
    ReadingOut,
    SpeedOut,
    ValueOut,
    version_out,
)
from app.monitoring.span import Days
from app.usage import reports

router = APIRouter(
    prefix="/api/monitoring", tags=["monitoring"], dependencies=[allow("monitoring.read")]
)
router.routes.extend(retraining_endpoints.router.routes)


@router.get("/speed")
async def read_speed(db: Database, span: Days) -> list[SpeedOut]:
    """Percentiles of how long answers took, by day and model."""
    found = await reports.latency_by_day_and_model(db, span.since, span.until)
    found.sort(key=lambda one: (one.day or span.since, one.provider, one.model))
    return [SpeedOut.model_validate(one) for one in found]


@router.get("/outcomes")
async def read_outcomes(db: Database, span: Days) -> list[OutcomesOut]:
    """How the calls of each day ended."""
    found = await speed.outcomes_by_day(db, span.since, span.until)
    return [OutcomesOut.model_validate(one) for one in found]


@router.get("/quality")
async def read_quality(db: Database, span: Days) -> QualityOut:
    """What the judge and people say of answers, by prompt version and model."""
    judge = await quality.judge_of_now(db)
    return QualityOut(
        judge=JudgeOut.model_validate(judge) if judge else None,
        states=await quality.waiting(db, span.since),
        versions=[version_out(one) for one in await quality.by_version(db, span.since, span.until)],
    )


@router.get("/drift")
async def read_drift(db: Database, span: Days) -> DriftOut:
    """What each day's look saw, and the drifts that were told."""
    return DriftOut(
        alerts=[AlertOut.model_validate(one) for one in await drift.alerts(db, span.since)],
        readings=[ReadingOut.model_validate(one) for one in await drift.readings(db, span.since)],
    )


@router.get("/value")
async def read_value(db: Database, span: Days) -> list[ValueOut]:
    """Tasks, how many of them were solved, and what that cost and saved, by feature."""
    found = await value.by_feature(db, span.since, span.until)
    return [ValueOut.model_validate(one) for one in found]
