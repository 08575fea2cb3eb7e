"""What was decided is done: train, follow, evaluate, propose. A worker may die at each step."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.core.clock import now
from app.core.db import transaction
from app.core.errors import Problem, TooMany
from app.core.logging import log
from app.core.outbound import OutboundFailed, OutboundRefused
from app.evals import service as evals
from app.evals import work
from app.flags import switches
from app.flags.switches import FeatureSwitchedOff
from app.jobs.queue import enqueue
from app.mail import links
from app.mail import service as mail
from app.modules import has
from app.monitoring import costs, dataset, tuning
from app.monitoring.models import Decision
from app.monitoring.tuning import OVER, TuningRefused
from app.prompts import registry
from app.prompts.lifespan import ready
from app.users.entitled import entitled

# Fewer than that no provider trains on.
LEAST = 10
EVALUATING = timedelta(hours=3)
# Longer than all tries to start one take.
STARTING = timedelta(hours=3)
# A request that nobody waits for any more may still begin one.
ON_ITS_WAY = timedelta(minutes=15)
UNKNOWN = (
    "Nobody knows whether the provider has started it: its answer was lost. It is looked for among"
    " the provider's jobs; until then its money stays set aside."
)


async def begin(decision_id: UUID) -> None:
    """Raises `OutboundFailed` when the provider does not answer; then it is tried again."""
    one = await _of(decision_id)
    if one is None or one.state != "running" or one.job:
        return
    if one.action == "rebuild-index":
        await _rebuild(one)
        return
    try:
        await _train(one)
    except (TuningRefused, OutboundRefused) as error:
        if not await _is_unknown(decision_id):
            await end(decision_id, "failed", str(error))
            return
        log.warning("monitoring.training_not_seen", error=str(error))
        await _tell_unknown(decision_id)
    except (TooMany, FeatureSwitchedOff) as problem:
        # It may be started again when there is money, or it is switched on.
        await _set(decision_id, state="decided", why=problem.detail[:500])


async def _rebuild(one: Decision) -> None:
    if not has("documents"):
        await end(one.id, "failed", "This project has no documents.")
        return
    async with transaction(elevated=True) as db:
        await enqueue(
            db,
            "documents.rebuild",
            organization_id=one.organization_id,
            anew=True,
            lock=f"documents.rebuild {one.organization_id}",
        )
    await end(one.id, "done", "The documents are read anew; nothing is away meanwhile.")


async def _train(one: Decision) -> None:
    await ready()
    if one.asked_at is None:
        await switches.check(costs.FEATURE, organization_id=one.organization_id)
    read_at = now()
    async with transaction(organization_id=one.organization_id) as db:
        found = await dataset.of_prompt(db, one.prompt)
    if len(found.training) < LEAST:
        await end(one.id, "failed", f"Fewer than {LEAST} examples are left to train on.")
        return
    content = dataset.lines(found.training)
    await costs.set_aside(one, content, len(found.training))
    # Each id is kept as soon as it is known: a second try goes on from there.
    training, validation = one.training_file, one.validation_file
    if not training:
        training = await tuning.upload("training.jsonl", content)
        await _set(one.id, training_file=training, read_at=read_at)
    if not validation and found.validation:
        validation = await tuning.upload("validation.jsonl", dataset.lines(found.validation))
        await _set(one.id, validation_file=validation)
    begun = await tuning.find(one.id) if one.asked_at else None
    if begun is None:
        # Noted first: who dies while the provider answers does not learn that it began.
        await _set(one.id, asked_at=now())
        try:
            begun = await tuning.begin(one.id, training, validation)
        except (TuningRefused, OutboundRefused):
            await _set(one.id, asked_at=None)
            raise
    await _set(one.id, job=begun.id, why="", numbers=one.numbers | {"dataset": found.told})
    log.info("monitoring.training_begun", decision_id=str(one.id), **found.told)


async def give_up(decision_id: UUID) -> None:
    """It was tried to start it for the last time."""
    if await _is_unknown(decision_id):
        await _tell_unknown(decision_id)
    else:
        await end(decision_id, "failed", "It could not be started; see the log.")


async def _is_unknown(decision_id: UUID) -> bool:
    """Whether the provider may have begun what nobody can see yet."""
    one = await _of(decision_id)
    return one is not None and one.asked_at is not None and not one.job


async def _tell_unknown(decision_id: UUID) -> None:
    """Once. What was set aside stays so."""
    async with transaction(elevated=True) as db:
        one = await db.get_one(Decision, decision_id)
        if one.state != "running" or one.why == UNKNOWN:
            return
        one.why = UNKNOWN
        await _tell(db, one)


async def follow() -> None:
    """Look at trainings that run, and evaluate what has been trained."""
    async with transaction(elevated=True) as db:
        query = select(Decision.id).where(Decision.state.in_(("running", "evaluating")))
        found = list(await db.scalars(query.where(Decision.action == "fine-tune")))
    for decision_id in found:
        try:
            await _follow(decision_id)
        except OutboundFailed as error:
            log.warning("monitoring.training_not_seen", error=str(error))
        except (TuningRefused, OutboundRefused, Problem) as error:
            await end(decision_id, "failed", str(error))


async def _follow(decision_id: UUID) -> None:
    one = await _of(decision_id)
    if one is None:
        return
    if not one.job:
        await _look_for(one)
        return
    model = one.model
    if one.state == "running":
        seen = await tuning.look(one.job)
        if seen.status not in OVER:
            return
        trained = seen.status == "succeeded"
        await costs.book(one, None if trained and not seen.tokens else seen.tokens)
        for file in filter(None, (one.training_file, one.validation_file)):
            await _remove(file)
        if not trained or not seen.model:
            await end(decision_id, "failed", f"The provider says: {seen.status}.")
            return
        model = seen.model
        await _set(decision_id, state="evaluating", model=model, trained_tokens=seen.tokens)
    await _evaluate(one, model)


async def _look_for(one: Decision) -> None:
    """Its start was lost: go on with the job that the provider began, or end without one."""
    is_told = one.why == UNKNOWN
    if not is_told and one.looked_at > now() - STARTING:
        return  # It is still being tried.
    if one.asked_at is None:
        await end(one.id, "failed", "It could not be started; see the log.")
        return
    if one.asked_at < now() - costs.LONGEST:
        await end(one.id, "failed", "Nobody knows whether it was started. It is booked in full.")
        return
    try:
        found = await tuning.find(one.id)
    except (TuningRefused, OutboundRefused, OutboundFailed) as error:
        log.warning("monitoring.training_not_seen", error=str(error))
        await _tell_unknown(one.id)
        return
    if found is not None:
        await _set(one.id, job=found.id, why="")
    elif one.asked_at < now() - ON_ITS_WAY:
        await _set(one.id, asked_at=None)
        for file in filter(None, (one.training_file, one.validation_file)):
            await _remove(file)
        await end(one.id, "failed", "The provider has not started it; nothing is booked.")


async def _remove(file: str) -> None:
    try:
        await tuning.remove(file)
    except TuningRefused as error:  # What was trained is there all the same.
        log.warning("monitoring.file_not_removed", error=str(error))


async def _evaluate(one: Decision, model: str) -> None:
    """The live version of the prompt, with the trained model, by all of its suites."""
    await ready()
    run_id = one.run_id
    if run_id is not None and await _has_taken_too_long(run_id):
        await end(one.id, "failed", "Its evaluation did not come to an end.")
        return
    if run_id is None:
        async with transaction(elevated=True) as db:
            run = evals.new_run(one.prompt, registry.live(one.prompt).number)
            run.started_by = one.started_by
            db.add(run)
            run_id = run.id
        await _set(one.id, run_id=run_id)
    done = await work.evaluate(run_id, model=model)
    if done.passed and done.complete:
        await end(one.id, "proposed", "It passed its evaluation; someone may let it answer.")
        return
    said = " ".join(done.verdicts)[:400] or "Not all suites were run."
    await end(one.id, "failed", f"What was trained did not pass its evaluation. {said}")


async def _has_taken_too_long(run_id: UUID) -> bool:
    """Each try asks, and pays, from the beginning."""
    async with transaction(elevated=True) as db:
        run = await evals.run(db, run_id)
        return run.state != "finished" and run.created_at < now() - EVALUATING


async def end(decision_id: UUID, state: str, why: str) -> None:
    """Say how it ended, and tell those who may go on from there."""
    known = await _of(decision_id)
    if known is not None:
        # What was begun and cannot be seen any more may well be billed.
        await costs.book(known, None if known.job or known.asked_at else 0)
    async with transaction(elevated=True) as db:
        one = await db.get_one(Decision, decision_id)
        if one.state in {"proposed", "done", "failed", "dropped"}:
            return
        one.state, one.why, one.looked_at = state, why[:500], now()
        await db.flush()
        await audit.record(
            db,
            f"monitoring.retraining_{state}",
            organization_id=one.organization_id,
            target=one.id,
            detail={"rule": one.rule, "model": one.model, "run": str(one.run_id or "")},
        )
        await _tell(db, one)


async def _tell(db: AsyncSession, one: Decision) -> None:
    for reader in await entitled(db, one.organization_id, "monitoring.retrain"):
        await mail.send(
            db,
            reader.email,
            "monitoring/retraining",
            name=reader.display_name,
            rule=one.rule,
            why=one.why,
            model=one.model if one.state == "proposed" else "",
            link=links.to("/monitoring/retraining", api="/api/monitoring/decisions"),
        )


async def _of(decision_id: UUID) -> Decision | None:
    async with transaction(elevated=True) as db:
        return await db.get(Decision, decision_id)


async def _set(decision_id: UUID, **values: object) -> None:
    async with transaction(elevated=True) as db:
        await db.execute(update(Decision).where(Decision.id == decision_id).values(**values))
