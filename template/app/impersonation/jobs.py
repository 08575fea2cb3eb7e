from datetime import timedelta

from sqlalchemy import delete

from app.core.clock import now
from app.core.db import transaction
from app.impersonation.ending import settle
from app.impersonation.models import Impersonation
from app.impersonation.settings import ImpersonationSettings
from app.jobs.queue import every, task


@every("* * * * *")
@task("impersonation.settle", retries=1)
async def settle_all() -> None:
    """Tell people of what ended by itself."""
    async with transaction(elevated=True) as db:
        await settle(db)


@every("17 3 * * *")
@task("impersonation.clean_up")
async def clean_up() -> None:
    limit = now() - timedelta(days=ImpersonationSettings.load().keep_days)
    async with transaction(elevated=True) as db:
        await db.execute(delete(Impersonation).where(Impersonation.ended_at < limit))
