"""Each night: do the rules for retraining fire, for the organisation that runs the app?

Corrections of customers are theirs: nothing of another organisation is looked at or trained on.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.clock import now
from app.core.db import elevated, transaction
from app.core.errors import Conflict, NotFound
from app.core.ids import uuid7
from app.jobs.queue import enqueue
from app.monitoring import dataset, drift, windows
from app.monitoring.drift_tests import Window
from app.monitoring.models import OPEN, Decision
from app.monitoring.rules import Facts, Rule, Verdict, rules, verdict
from app.monitoring.settings import TuningSettings
from app.prompts.lifespan import ready
from app.users import service as users

OVER = ("proposed", "done", "failed", "dropped")
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


class NoSuchDecision(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such decision.")


class NotDecided(Conflict):
    """Only a decision that waits for someone can be started or dropped."""


class NoTuning(Conflict):
    """No provider is named that could train."""


async def decide() -> None:
    """Write down what each rule says today. What waits for nobody is started."""
    await ready()
    async with transaction(elevated=True) as db:
        organization_id = (await users.the_organization(db)).id
    for rule in rules():
        async with transaction(organization_id=organization_id) as db:
            ended, learned = await _last(db, rule)
            if ended > now() - timedelta(days=rule.days_between):
                continue
            found = verdict(rule, await _facts(db, organization_id, rule, learned))
        async with transaction(elevated=True) as db:
            await _write(db, organization_id, rule, found)


async def _last(db: AsyncSession, rule: Rule) -> tuple[datetime, datetime]:
    """When the last decision of this rule was over, and until when its corrections were read."""
    found = await db.execute(
        select(Decision.looked_at, func.coalesce(Decision.read_at, Decision.looked_at))
        .where(Decision.rule == rule.name, Decision.state.in_(OVER))
        .order_by(Decision.looked_at.desc())
        .limit(1)
    )
    row = found.one_or_none()
    return (row[0], row[1]) if row else (BEGINNING, BEGINNING)


async def _facts(db: AsyncSession, organization_id: UUID, rule: Rule, learned: datetime) -> Facts:
    pairs = await windows.read(db, organization_id, now())
    reference, current = pairs.get(rule.feature, (Window(), Window()))
    alerts = await drift.alerts(db, now())
    is_training = rule.action == "fine-tune"
    return Facts(
        new_corrections=await dataset.saved_since(db, rule.prompt, learned) if rule.prompt else 0,
        examples=(await dataset.of_prompt(db, rule.prompt)).examples if is_training else 0,
        drifting={one.measure for one in alerts if one.feature == rule.feature},
        reference=reference,
        current=current,
    )


async def _write(db: AsyncSession, organization_id: UUID, rule: Rule, found: Verdict) -> None:
    open_one = await db.scalar(
        select(Decision)
        .where(Decision.organization_id == organization_id, Decision.rule == rule.name)
        .where(Decision.state.in_(OPEN))
        .with_for_update()
    )
    if open_one is not None and open_one.state not in {"nothing", "waiting"}:
        return  # Somebody is asked, or it is under way.
    state = "nothing" if not found.reasons else "decided" if found.ready else "waiting"
    one = open_one or Decision(id=uuid7(), organization_id=organization_id, rule=rule.name)
    before = one.state
    one.feature, one.prompt, one.action = rule.feature, rule.prompt, rule.action
    one.state, one.looked_at = state, now()
    one.reasons, one.numbers = list(found.reasons), found.numbers
    if open_one is None:
        db.add(one)
    await db.flush()
    if state in {before, "nothing"}:
        return
    await audit.record(
        db,
        "monitoring.retraining_decided",
        organization_id=organization_id,
        target=one.id,
        detail={"rule": rule.name, "state": state, "reasons": list(found.reasons)},
    )
    if state == "decided" and rule.action == "rebuild-index":
        one.state = "running"
        await enqueue(db, "monitoring.retrain", decision_id=one.id)


async def start(db: AsyncSession, person: Person, decision_id: UUID) -> Decision:
    """Let what was decided begin: the corrections go to the provider, and training costs."""
    if not TuningSettings.load().is_on:
        raise NoTuning("MONITORING_TUNING_BASE_URL and MONITORING_TUNING_MODEL name none.")
    return await _answer(db, person, decision_id, "running", "monitoring.retraining_started")


async def drop(db: AsyncSession, person: Person, decision_id: UUID) -> Decision:
    """Not now: the rule is asked again after its days."""
    return await _answer(db, person, decision_id, "dropped", "monitoring.retraining_dropped")


async def _answer(
    db: AsyncSession, person: Person, decision_id: UUID, state: str, event: str
) -> Decision:
    async with elevated(db):
        one = await db.scalar(
            select(Decision)
            .where(Decision.id == decision_id, Decision.organization_id == person.organization_id)
            .with_for_update()
        )
        if one is None:
            raise NoSuchDecision
        if one.state != "decided":
            raise NotDecided("This was answered already, or there is nothing to decide.")
        one.state, one.started_by, one.looked_at = state, person.user_id, now()
        await db.flush()
    if state == "running":
        await enqueue(db, "monitoring.retrain", decision_id=one.id)
    await audit.record(db, event, person=person, target=one.id, detail={"rule": one.rule})
    return one


async def decisions(db: AsyncSession) -> Sequence[Decision]:
    """The newest first."""
    return (await db.scalars(select(Decision).order_by(Decision.id.desc()).limit(50))).all()
