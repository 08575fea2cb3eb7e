"""Answers that wait for a person to look at them."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import elevated
from app.core.metrics import Gauge

WAITING = Gauge("app_reviews_waiting", "Answers that wait for a reviewer.")
LATE = Gauge("app_reviews_late", "Those of them that should have been looked at by now.")
COUNTED = text(
    "SELECT count(*), count(*) FILTER (WHERE due_at < now()) FROM review_looks"
    " WHERE state <> 'done'"
)


async def read(db: AsyncSession) -> None:
    async with elevated(db):
        waiting, late = (await db.execute(COUNTED)).one()
    WAITING.replace(waiting)
    LATE.replace(late)
