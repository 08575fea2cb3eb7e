"""Keep the cache within its bounds."""

from app.cache import service
from app.core.db import transaction
from app.core.logging import log
from app.jobs.queue import every, task


@every("*/10 * * * *")
@task("cache.evict", retries=0)
async def evict() -> None:
    """Delete answers and vectors that are too old, and those beyond the most."""
    async with transaction(elevated=True) as db:
        if count := await service.evict(db):
            log.info("cache.evicted", answers=count)
