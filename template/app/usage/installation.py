"""What all organisations together spend in a month: for those who run the app, and no tenant."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.mail import service as mail
from app.usage.models import UsageInstallation
from app.usage.reports import month_start
from app.usage.settings import UsageSettings, microdollars
from app.usage.warnings import dollars, next_month
from app.users import operators
from app.users.entitled import entitled

SHARES = (80, 100)
NO_SHARE = -1
"""The row that says what was told of: no call waits for it."""


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
    if reached == found.told:
        return 0
    # Also less, when the budget was raised: then it is told anew.
    nothing = {"microdollars": 0, "reserved_microdollars": 0, "refused": 0}
    changed = await db.scalar(
        insert(UsageInstallation)
        .values(starts_at=month_start(), share=NO_SHARE, told=reached, **nothing)
        .on_conflict_do_update(
            constraint="uq_usage_installation_share",
            set_={"told": reached},
            where=UsageInstallation.told != reached,
        )
        .returning(UsageInstallation.id)
    )
    return reached if changed and reached > found.told else 0


async def tell(db: AsyncSession, percent: int) -> None:
    """Mail those who may set budgets in the organisation that runs the app."""
    home = await operators.organization_id(db)
    if home is None:
        return
    found = await read(db)
    for one in await entitled(db, home, "usage.limit"):
        await mail.send(
            db,
            one.email,
            "usage/installation",
            name=one.display_name,
            percent=percent,
            used=dollars(found.spent),
            held=dollars(found.held) if found.held else "",
            budget=dollars(found.budget or 0),
            month=f"{month_start():%B %Y}",
            again=next_month(month_start()),
        )
