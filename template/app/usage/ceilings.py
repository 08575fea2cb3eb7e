"""The most that each organisation may use: for those who run the app, and over all of them.

It works as app_auth; who calls it has asked for `Operator` first, or is the command line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from sqlalchemy import Select, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.db import elevated
from app.core.errors import NotFound
from app.usage import budgets
from app.usage.budgets import LIMITS, Amounts, BudgetsChangedMeanwhile
from app.usage.models import UsageCeiling, UsageCounter, UsageLimit
from app.usage.reports import month_start
from app.users.models import Organization
from app.users.operators import operators
from app.users.service import the_organization

Operator = Annotated[Person, operators("usage.ceiling")]
ProvenOperator = Annotated[Person, operators("usage.ceiling", recent=True)]
MONTH = "microdollars_per_month"


class NoSuchOrganization(NotFound):
    def __init__(self) -> None:
        super().__init__("No such organisation.")


@dataclass(frozen=True)
class Bounded:
    """An organisation with what bounds it; amounts are by the names of `LIMITS`."""

    id: UUID
    name: str
    slug: str
    spent: int
    """This month, in millionths of a dollar."""
    held: int
    """Reserved for calls that are under way."""
    given: Amounts
    """The ceilings that those who run the app gave it; None stands for what the settings say."""
    ceilings: Amounts
    """What it may use at most by these and the settings."""
    own: Amounts
    """What its administrators set."""
    limits: Amounts
    """What binds of all that."""
    seen: str
    """Tells whether somebody gave it other ceilings since."""


@dataclass(frozen=True)
class Page:
    """Who spent most this month comes first. `before` is where the next page starts."""

    rows: Sequence[Bounded]
    before: UUID | None


SPENT = func.coalesce(UsageCounter.microdollars, 0)


def _all() -> Select[Organization, UsageCounter, UsageCeiling, UsageLimit]:
    """Organisations with this month's sum, their ceilings and their own limits."""
    return (
        select(Organization, UsageCounter, UsageCeiling, UsageLimit)
        .outerjoin(
            UsageCounter,
            (UsageCounter.organization_id == Organization.id)
            & UsageCounter.user_id.is_(None)
            & (UsageCounter.period == "month")
            & (UsageCounter.starts_at == month_start()),
        )
        .outerjoin(UsageCeiling, UsageCeiling.organization_id == Organization.id)
        .outerjoin(
            UsageLimit,
            (UsageLimit.organization_id == Organization.id) & UsageLimit.user_id.is_(None),
        )
        .execution_options(populate_existing=True)
    )


async def page(
    db: AsyncSession, *, search: str = "", before: UUID | None = None, limit: int = 50
) -> Page:
    """One page of all organisations, or of those with this text in their name or slug."""
    # The ids sort by time, and no two are equal.
    query = _all().order_by(SPENT.desc(), Organization.id.desc()).limit(limit + 1)
    if wanted := search.strip():
        columns = (Organization.name, Organization.slug)
        query = query.where(or_(*(one.icontains(wanted, autoescape=True) for one in columns)))
    async with elevated(db):
        if before:
            last = await db.execute(_all().where(Organization.id == before))
            counted = next((row[1] for row in last), None)
            spent = counted.microdollars if counted else 0
            query = query.where(tuple_(SPENT, Organization.id) < tuple_(spent, before))
        rows = (await db.execute(query)).all()
    found = [_bounded(*row) for row in rows[:limit]]
    return Page(found, found[-1].id if len(rows) > limit else None)


async def one(db: AsyncSession, organization_id: UUID) -> Bounded:
    """Raises `NoSuchOrganization`."""
    async with elevated(db):
        found = (await db.execute(_all().where(Organization.id == organization_id))).one_or_none()
    if found is None:
        raise NoSuchOrganization
    return _bounded(*found)


async def _stays(db: AsyncSession, organization_id: UUID) -> None:
    """Nobody deletes it before this transaction ends. Raises `NoSuchOrganization`."""
    held = select(Organization.id).where(Organization.id == organization_id)
    if await db.scalar(held.with_for_update(read=True, key_share=True)) is None:
        raise NoSuchOrganization


def _bounded(
    of: Organization,
    month: UsageCounter | None,
    given: UsageCeiling | None,
    own: UsageLimit | None,
) -> Bounded:
    most = budgets.ceilings_of(given)
    theirs = budgets.amounts_of(own)
    return Bounded(
        of.id,
        of.name,
        of.slug,
        month.microdollars if month else 0,
        month.reserved_microdollars if month else 0,
        given=budgets.amounts_of(given),
        ceilings=most,
        own=theirs,
        limits={name: budgets.lower(theirs[name], most[name]) for name in LIMITS},
        seen=budgets.seen_of(given),
    )


async def give(
    db: AsyncSession,
    organization_id: UUID,
    given: Amounts,
    *,
    person: Person | None = None,
    seen: str | None = None,
) -> None:
    """Set what an organisation may use at most; without a person by command.

    What is None or left out is what the settings say. It holds from the next call on, whatever the
    administrators set. Raises `NoSuchOrganization`, and `BudgetsChangedMeanwhile` when the
    ceilings are not what was `seen` any more.
    """
    values = budgets.complete(given)
    async with elevated(db):
        await budgets.one_at_a_time(db, organization_id)
        await _stays(db, organization_id)
        before = await one(db, organization_id)
        if seen not in {None, before.seen}:
            raise BudgetsChangedMeanwhile(
                "Somebody set these ceilings meanwhile: look at them once more."
            )
        await db.execute(
            insert(UsageCeiling)
            .values(organization_id=organization_id, **values)
            .on_conflict_do_update(constraint="uq_usage_ceilings_organization_id", set_=values)
        )
        if (await one(db, organization_id)).limits[MONTH] != before.limits[MONTH]:
            await budgets.warn_anew(db, organization_id, None)
        home = person.organization_id if person else (await the_organization(db)).id
        # Its own administrators read it, too, and not by whom.
        for log, by in {organization_id: None, home: person}.items():
            await audit.record(
                db,
                "usage.ceiling_set",
                person=by,
                organization_id=log,
                target=organization_id,
                detail=values,
            )
