"""Forget what no longer limits anyone."""

from datetime import timedelta

from sqlalchemy import delete, func

from app.core.db import transaction
from app.jobs.queue import every, task
from app.limits.lockout import DEVICE_LIFETIME
from app.limits.models import ForgottenDevices, Lockout, RateLimit

FAILURES_COUNT_FOR = timedelta(days=1)


@every("* * * * *")
@task("limits.forget", retries=0)
async def forget() -> None:
    """Delete full budgets, lockouts of logins left alone for a day, and what outlived devices."""
    async with transaction() as db:
        await db.execute(delete(RateLimit).where(RateLimit.full_at < func.now()))
        long_ago = func.now() - FAILURES_COUNT_FOR
        await db.execute(delete(Lockout).where(Lockout.updated_at < long_ago))
        over = func.now() - DEVICE_LIFETIME
        await db.execute(delete(ForgottenDevices).where(ForgottenDevices.at < over))
