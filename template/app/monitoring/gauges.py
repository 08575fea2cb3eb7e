"""What the judge said of the answers of the last day."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import elevated
from app.core.metrics import Gauge, Labels

JUDGED = Gauge("app_judged_day", "Answers that the judge looked at in the last day.")
GOOD = Gauge("app_judged_good_share", "The share of them that were good, by aspect.", "aspect")
ASPECTS = ("correct", "relevant", "safe", "form")
COUNTED = text(
    "SELECT count(*), avg(correct::int)::float8, avg(relevant::int)::float8,"
    " avg(safe::int)::float8, avg(form::int)::float8"
    " FROM monitoring_judgements WHERE judged_at > now() - interval '1 day'"
)


async def read(db: AsyncSession) -> None:
    async with elevated(db):
        judged, *shares = (await db.execute(COUNTED)).one()
    found: dict[Labels, float] = {
        (aspect,): share for aspect, share in zip(ASPECTS, shares, strict=True) if share is not None
    }
    JUDGED.replace(judged)
    GOOD.replace(found)
