"""What all organisations together spend in a month: for those who run the app, and no tenant."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.usage.models import UsageInstallation
from app.usage.reports import month_start
from app.usage.settings import UsageSettings, microdollars

SHARES = (80, 100)


@dataclass(frozen=True, slots=True)
class Everybody:
    """This month, in millionths of a dollar."""

    spent: int
    held: int
    """Reserved for calls that are under way."""
    budget: int | None
    told: int
    """How many per cent the log told of already."""

    @property
    def share(self) -> float:
        if self.budget is None:
            return 0.0
        return (self.spent + self.held) / self.budget if self.budget else 1.0


async def read(db: AsyncSession) -> Everybody:
    """As app_auth."""
    query = select(
        func.coalesce(func.sum(UsageInstallation.microdollars), 0),
        func.coalesce(func.sum(UsageInstallation.reserved_microdollars), 0),
        func.coalesce(func.max(UsageInstallation.told), 0),
    ).where(UsageInstallation.starts_at == month_start())
    spent, held, told = (await db.execute(query)).one()
    budget = microdollars(UsageSettings.load().installation_dollars_per_month)
    return Everybody(int(spent), int(held), budget, told)


async def newly_reached(db: AsyncSession) -> int:
    """80 or 100 per cent of the budget, when that was not told of it yet; otherwise 0."""
    found = await read(db)
    reached = max((one for one in SHARES if found.share * 100 >= one), default=0)
    if reached != found.told:  # Also less, when the budget was raised: then it is told anew.
        nothing = {"microdollars": 0, "reserved_microdollars": 0, "refused": 0}
        await db.execute(
            insert(UsageInstallation)
            .values(starts_at=month_start(), share=0, told=reached, **nothing)
            .on_conflict_do_update(constraint="uq_usage_installation_share", set_={"told": reached})
        )
    return reached if reached > found.told else 0
