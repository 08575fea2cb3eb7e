"""What the app finds out about itself while nobody waits for it."""

from app.core.logging import log
from app.jobs.queue import every, task
from app.monitoring import drift, judge_work


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


@every("29 4 * * *")
@task("monitoring.forget", retries=1)
async def forget() -> None:
    """Delete numbers and judgements that are older than they are kept."""
    await judge_work.forget()
