"""How many people there are, and how many were here."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import elevated
from app.core.metrics import Gauge
from app.core.settings import answers

ORGANIZATIONS = Gauge("app_organizations", "Organisations.")
PEOPLE = Gauge("app_people", "People with an activated account.")
HERE = Gauge("app_people_here", "People who did something in the last minutes.", "minutes")
Gauge(
    "app_people_at_peak",
    "How many at once this app was planned for.",
    read=lambda: answers()["users"]["people_at_peak"],
)

MINUTES = (15, 1440)
COUNTED = text(
    "SELECT (SELECT count(*) FROM organizations),"
    " (SELECT count(*) FROM users WHERE activated_at IS NOT NULL)"
)
SEEN = text(
    "SELECT count(DISTINCT user_id) FILTER (WHERE last_seen_at > now() - interval '15 minutes'),"
    " count(DISTINCT user_id) FROM sessions WHERE last_seen_at > now() - interval '1 day'"
)


async def read(db: AsyncSession) -> None:
    async with elevated(db):
        organizations, people = (await db.execute(COUNTED)).one()
        seen = (await db.execute(SEEN)).one()
    ORGANIZATIONS.replace(organizations)
    PEOPLE.replace(people)
    HERE.replace({(str(of),): number for of, number in zip(MINUTES, seen, strict=True)})
