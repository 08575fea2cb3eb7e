from sqlalchemy import delete, func

from app.core.db import transaction
from app.jobs.queue import every, task
from app.passkeys.models import PasskeyChallenge


@every("*/10 * * * *")
@task("passkeys.forget", retries=0)
async def forget() -> None:
    """Delete challenges that nobody answered in time."""
    async with transaction(elevated=True) as db:
        await db.execute(delete(PasskeyChallenge).where(PasskeyChallenge.expires_at < func.now()))
