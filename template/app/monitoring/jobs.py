"""What the app finds out about itself while nobody waits for it."""

from uuid import UUID

from app.core.logging import log
from app.jobs.queue import attempt, every, task
from app.monitoring import deciding, drift, judge_work, retraining


@every("* * * * *")
@task("monitoring.judge", retries=0, timeout=900)
async def judge() -> None:
    """Judge the sample of answers that waits."""
    judged = await judge_work.run()
    if judged:
        log.info("monitoring.judged", answers=judged)


@every("7 5 * * *")
@task("monitoring.drift", retries=2, timeout=3600)
async def look_for_drift() -> None:
    """Compare each organisation's week with the four before it, and tell what has drifted."""
    told = await drift.look_everywhere()
    if told:
        log.info("monitoring.drift_told", alerts=told)


@every("37 5 * * *")
@task("monitoring.decide", retries=2)
async def decide() -> None:
    """Put the rules for retraining to the numbers of now, after the look for drift."""
    await deciding.decide()


@task("monitoring.retrain", retries=5, timeout=900)
async def begin(decision_id: UUID) -> None:
    """Give the provider the corrections and let it train, or let the documents be read anew."""
    try:
        await retraining.begin(decision_id)
    except Exception:
        if attempt.get().last:
            await retraining.give_up(decision_id)
        raise


@every("*/5 * * * *")
@task("monitoring.follow_training", retries=0, timeout=3600)
async def follow() -> None:
    """See what became of trainings, evaluate what was trained, and propose it."""
    await retraining.follow()


@every("29 4 * * *")
@task("monitoring.forget", retries=1)
async def forget() -> None:
    """Delete numbers and judgements that are older than they are kept."""
    await judge_work.forget()
