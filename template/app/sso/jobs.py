from sqlalchemy import delete, func

from app.core.db import transaction
from app.jobs.queue import every, task
from app.sso.models import SsoAttempt


@every("*/10 * * * *")
@task("sso.forget", retries=0)
async def forget() -> None:
    """Delete sign-ins that nobody came back from."""
    async with transaction(elevated=True) as db:
        await db.execute(delete(SsoAttempt).where(SsoAttempt.expires_at < func.now()))
