from uuid import UUID

from app.core.db import transaction
from app.jobs.queue import every, task
from app.own_data import service


@task("own_data.collect", retries=3, timeout=900)
async def collect(export_id: UUID) -> None:
    """Put together what is held about a person."""
    await service.collect(export_id)


@every("26 * * * *")
@task("own_data.forget", retries=1)
async def forget() -> None:
    """Delete the files whose time is over."""
    async with transaction(elevated=True) as db:
        await service.forget(db)
