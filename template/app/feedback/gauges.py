"""What people said of answers in the last day."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import elevated
from app.core.metrics import Gauge, Labels

GIVEN = Gauge("app_feedback_day", "Answers that people judged in the last day.", "rating")
COUNTED = text(
    "SELECT rating, count(*) FROM feedback WHERE updated_at > now() - interval '1 day' GROUP BY 1"
)


async def read(db: AsyncSession) -> None:
    async with elevated(db):
        rows = (await db.execute(COUNTED)).all()
    found: dict[Labels, float] = {(rating,): number for rating, number in rows}
    GIVEN.replace({("up",): 0.0, ("down",): 0.0} | found)
