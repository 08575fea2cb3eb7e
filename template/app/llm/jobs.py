"""Forget providers that nobody asks any more."""

from datetime import timedelta

from sqlalchemy import delete, func

from app.core.db import transaction
from app.jobs.queue import every, task
from app.llm.models import Rest

NOBODY_ASKED_FOR = timedelta(days=1)


@every("17 3 * * *")
@task("llm.forget_rests", retries=0)
async def forget() -> None:
    """Delete what was concluded of providers that no call has tried for a day."""
    async with transaction() as db:
        await db.execute(delete(Rest).where(Rest.until < func.now() - NOBODY_ASKED_FOR))
