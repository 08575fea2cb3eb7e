"""Judge what waits, the newest first, as far as the day's money goes."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select, update

from app.core.clock import now
from app.core.crypto import Undecipherable, decrypt
from app.core.db import transaction
from app.core.errors import Problem, TooMany, Unavailable
from app.core.logging import log
from app.core.retention import delete_old
from app.evals.settings import EvalsSettings
from app.llm.access import STAND_IN
from app.llm.steps import routing
from app.monitoring import judging
from app.monitoring.call_step import place
from app.monitoring.judging import CRITERIA, FEATURE
from app.monitoring.models import (
    Calibration,
    Decision,
    DriftAlert,
    DriftReading,
    Judgement,
    MonitoredCall,
)
from app.monitoring.settings import JudgeSettings, MonitoringSettings
from app.prompts import registry
from app.prompts.lifespan import ready
from app.usage.models import UsageRecord
from app.usage.prices import MILLION
from app.users import operators
from app.users import service as users

AT_MOST = 40
"""In one run; the next begins a minute later."""
FAILURES = 3
"""In a row, and the judge is left alone until the next run."""

CALIBRATED_FOR = timedelta(days=7)


async def run() -> int:
    """Gives how many were judged."""
    await expire()
    settings = JudgeSettings.load()
    if not settings.is_on or settings.chosen == STAND_IN:
        return 0
    waiting = await _waiting()
    if not waiting:
        return 0
    await ready()
    async with transaction(elevated=True) as db:
        organization_id = (await users.the_organization(db)).id
    calibration = await _calibration(organization_id)
    judged = unanswered = 0
    for call_id in waiting:
        if calibration is None or unanswered == FAILURES or await _is_spent(organization_id):
            break
        try:
            judged += await _judge(call_id, calibration, organization_id)
            unanswered = 0
        except (Unavailable, TooMany) as problem:
            # Its words wait for the next run; one that never gets an answer holds up no other.
            log.warning("monitoring.judge_unavailable", problem=problem.type)
            unanswered += 1
    return judged


async def expire() -> None:
    """Delete the words of answers that waited too long."""
    limit = now() - timedelta(hours=MonitoringSettings.load().waiting_hours)
    async with transaction(elevated=True) as db:
        await db.execute(
            update(Judgement)
            .where(Judgement.state == "waiting", Judgement.created_at < limit)
            .values(state="expired", words=None)
        )


async def forget() -> None:
    """Delete what is older than it is kept."""
    limit = now() - timedelta(days=MonitoringSettings.load().retention_days)
    for kind in (Judgement, MonitoredCall, Calibration, DriftReading):
        await delete_old(kind, kind.created_at < limit)
    # A drift that goes on is not told anew, and a row of a rule is as old as its last decision.
    await delete_old(DriftAlert, DriftAlert.last_at < limit)
    is_over = Decision.state.not_in(("decided", "running", "evaluating"))
    await delete_old(Decision, Decision.looked_at < limit, is_over)


async def _waiting() -> list[UUID]:
    async with transaction(elevated=True) as db:
        rows = await db.scalars(
            select(Judgement.id)
            .where(Judgement.state == "waiting")
            .order_by(Judgement.created_at.desc())
            .limit(AT_MOST)
        )
        return list(rows)


async def _judge(call_id: UUID, calibration: Calibration, organization_id: UUID) -> int:
    async with transaction(elevated=True) as db:
        found = await db.scalar(
            select(Judgement.words).where(Judgement.id == call_id, Judgement.state == "waiting")
        )
    if found is None:
        return 0
    values: dict[str, object] = {"state": "failed"}
    try:
        told = judging.opened(decrypt(found, place(call_id)))
        said = await judging.judge(operators.machine(organization_id), told)
    except (Problem, Undecipherable) as error:
        if isinstance(error, Problem) and judging.is_passing(error):
            raise
        log.warning("monitoring.not_judged", call_id=str(call_id), error=type(error).__name__)
    else:
        least = EvalsSettings.load().least_agreement
        counted = [name for name in CRITERIA if calibration.kappas[name] >= least]
        values = {name: getattr(said, name) for name in counted}
        values |= {"state": "judged", "calibration_id": calibration.id}
    if not MonitoringSettings.load().keep_words:
        values["words"] = None
    async with transaction(elevated=True) as db:
        await db.execute(
            update(Judgement).where(Judgement.id == call_id).values(judged_at=now(), **values)
        )
    return int(values["state"] == "judged")


async def _calibration(organization_id: UUID) -> Calibration | None:
    """How far the judge of now agrees with people; found out anew each week."""
    version, provider = registry.live(judging.PROMPT).number, routing.own_provider(FEATURE)
    if provider is None:
        return None
    name, model = provider.name, provider.model
    async with transaction(elevated=True) as db:
        known = await db.scalar(
            select(Calibration)
            .where(Calibration.provider == name, Calibration.model == model)
            .where(Calibration.prompt_version == version)
            .where(Calibration.created_at > now() - CALIBRATED_FOR)
            .order_by(Calibration.id.desc())
            .limit(1)
        )
    if known is not None or await _is_spent(organization_id):
        return known
    try:
        found = await judging.calibrate(operators.machine(organization_id))
    except Problem as problem:
        log.warning("monitoring.not_calibrated", problem=problem.type)
        return None
    made = Calibration(
        provider=name,
        model=model,
        prompt_version=version,
        examples=found.examples,
        kappas={key: round(value, 3) for key, value in found.kappas.items()},
    )
    async with transaction(elevated=True) as db:
        db.add(made)
    log.info("monitoring.judge_calibrated", **made.kappas)
    return made


async def _is_spent(organization_id: UUID) -> bool:
    """Whether the day's money is gone, by the ledger: calls without a verdict cost as well."""
    today = now().replace(hour=0, minute=0, second=0, microsecond=0)
    async with transaction(organization_id=organization_id) as db:
        spent = await db.scalar(
            select(func.coalesce(func.sum(UsageRecord.microdollars), 0)).where(
                UsageRecord.feature == FEATURE, UsageRecord.created_at >= today
            )
        )
    return (spent or 0) >= round(MonitoringSettings.load().judge_dollars_per_day * MILLION)
