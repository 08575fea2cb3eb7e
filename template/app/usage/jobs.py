"""Give back what killed processes had reserved, and forget old sums."""

from app.core.db import transaction
from app.core.direct import direct
from app.core.logging import log
from app.jobs.queue import every, task
from app.usage import anomalies, installation, service, warnings


@every("*/5 * * * *")
@task("usage.sweep", retries=1)
async def sweep() -> None:
    """Release reservations on which nobody can be working any more."""
    async with transaction(elevated=True) as db:
        left_behind = await service.orphans(db)
    for record in left_behind:
        async with direct(organization_id=record.organization_id) as db:
            if await service.release(db, record):
                log.warning("usage.orphan_released", call_id=str(record.id))


@every("*/5 * * * *")
@task("usage.warn", retries=2)
async def warn() -> None:
    """Mail who has used 50, 80 or 100 per cent of the month's budget."""
    async with transaction(elevated=True) as db:
        sent = await warnings.send_due(db)
    if sent:
        log.info("usage.warned", mails=sent)


@every("*/5 * * * *")
@task("usage.watch_installation", retries=2)
async def watch_installation() -> None:
    """Tell when 80 or 100 per cent of what all organisations may spend together are reached."""
    async with transaction(elevated=True) as db:
        if percent := await installation.newly_reached(db):
            await installation.tell(db, percent)
    if percent:
        log.warning("usage.installation_budget_reached", percent=percent)


@every("*/10 * * * *")
@task("usage.look_for_anomalies", retries=2)
async def look_for_anomalies() -> None:
    """Mail administrators when an hour costs far more than such hours do."""
    async with transaction(elevated=True) as db:
        sent = await anomalies.look(db)
    if sent:
        log.info("usage.anomaly_told", mails=sent)


@every("41 4 * * *")
@task("usage.forget", retries=1)
async def forget() -> None:
    """Delete the sums of hours and days long past, and what was told of them."""
    async with transaction(elevated=True) as db:
        await service.forget_old_counters(db)
