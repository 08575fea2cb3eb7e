"""Give back what killed processes had reserved, and forget old sums."""

from app.core.db import transaction
from app.core.direct import direct
from app.core.logging import log
from app.jobs.queue import every, task
from app.usage import service


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


@every("41 4 * * *")
@task("usage.forget", retries=1)
async def forget() -> None:
    """Delete the sums of hours and days long past."""
    async with transaction(elevated=True) as db:
        await service.forget_old_counters(db)
