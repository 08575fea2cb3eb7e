"""How many documents there are in which state."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import elevated
from app.core.metrics import Gauge, Labels

DOCUMENTS = Gauge("app_documents", "Documents by state.", "state")
COUNTED = text("SELECT state, count(*) FROM documents GROUP BY state")


async def read(db: AsyncSession) -> None:
    async with elevated(db):
        rows = (await db.execute(COUNTED)).all()
    found: dict[Labels, float] = {(state,): number for state, number in rows}
    DOCUMENTS.replace({("ready",): 0.0, ("failed",): 0.0} | found)
