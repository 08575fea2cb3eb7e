from datetime import timedelta

from sqlalchemy import delete

from app.access import service as sessions
from app.auth.models import OneTimeLink
from app.auth.sign_up import forget_unconfirmed
from app.core.clock import now
from app.core.db import transaction
from app.jobs.queue import every, task


@every("17 3 * * *")
@task("auth.clean_up")
async def clean_up() -> None:
    """Forget sessions and links that ended long ago, and sign-ups that nobody confirmed."""
    async with transaction(elevated=True) as db:
        await sessions.forget_old(db)
        limit = now() - timedelta(days=30)
        await db.execute(delete(OneTimeLink).where(OneTimeLink.expires_at < limit))
        await forget_unconfirmed(db)
