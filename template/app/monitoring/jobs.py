"""What the app finds out about itself while nobody waits for it."""

from app.core.logging import log
from app.jobs.queue import every, task
from app.monitoring import judge_work


@every("* * * * *")
@task("monitoring.judge", retries=0, timeout=900)
async def judge() -> None:
    """Judge the sample of answers that waits."""
    judged = await judge_work.run()
    if judged:
        log.info("monitoring.judged", answers=judged)


@every("29 4 * * *")
@task("monitoring.forget", retries=1)
async def forget() -> None:
    """Delete numbers and judgements that are older than they are kept."""
    await judge_work.forget()
