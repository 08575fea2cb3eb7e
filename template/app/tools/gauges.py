"""What people have to decide: tools with high stakes that models want to use."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import elevated
from app.core.metrics import Gauge

WAITING = Gauge("app_approvals_waiting", "Uses of tools that wait for a person's yes.")
COUNTED = text("SELECT count(*) FROM tool_approvals WHERE state = 'waiting' AND expires_at > now()")


async def read(db: AsyncSession) -> None:
    async with elevated(db):
        WAITING.replace(await db.scalar(COUNTED) or 0)
