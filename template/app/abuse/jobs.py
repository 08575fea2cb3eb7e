"""Tell administrators, and forget what is no longer needed."""

from datetime import timedelta

from sqlalchemy import delete, func

from app.abuse import alerts
from app.abuse.models import AbuseCounter, AbuseMeasure, AbuseSighting, AbuseTally
from app.abuse.settings import AbuseSettings
from app.core.clock import now
from app.core.db import transaction
from app.core.logging import log
from app.jobs.queue import every, task

# Two weeks are looked back at; see the migration.
TALLIES_KEPT = timedelta(days=16)
WINDOW = timedelta(hours=1)


@every("*/5 * * * *")
@task("abuse.alert", retries=2)
async def alert() -> None:
    """Mail what was seen since the last time."""
    async with transaction(elevated=True) as db:
        sent = await alerts.send_due(db)
    if sent:
        log.info("abuse.alerted", mails=sent)


@every("*/10 * * * *")
@task("abuse.forget", retries=0)
async def forget() -> None:
    """Delete counters of windows that are over, and what was seen and done long ago."""
    settings = AbuseSettings.load()
    kept_since = now() - timedelta(days=settings.keep_days)
    async with transaction(elevated=True) as db:
        await db.execute(delete(AbuseCounter).where(AbuseCounter.started_at < func.now() - WINDOW))
        await db.execute(delete(AbuseTally).where(AbuseTally.started_at < now() - TALLIES_KEPT))
        await db.execute(delete(AbuseSighting).where(AbuseSighting.last_at < kept_since))
        await db.execute(delete(AbuseMeasure).where(AbuseMeasure.until < kept_since))
