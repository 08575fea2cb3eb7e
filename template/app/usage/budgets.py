"""What binds an organisation and its people, and setting less than those who run the app allow."""

from hashlib import blake2b
from uuid import UUID

from sqlalchemy import column, delete, func, select, table, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.db import elevated
from app.core.errors import Conflict, Invalid, NotFound
from app.usage.models import UsageCeiling, UsageCounter, UsageLimit, UsageWarning
from app.usage.settings import UsageSettings, microdollars

# Names, read from the table of users without its models; row security shows the colleagues in it.
PEOPLE = table("users", column("id"), column("display_name"))

LIMITS = {
    "calls_per_hour": "calls_hour",
    "calls_per_day": "calls_day",
    "tokens_per_hour": "hour",
    "tokens_per_day": "day",
    "microdollars_per_month": "month",
}
"""Every budget by its column, with what it is called behind `person_` and `organization_`."""
Amounts = dict[str, int | None]
"""By column; None does not bind."""


class BudgetsChangedMeanwhile(Conflict):
    """Somebody set them after they were looked at: nobody undoes that without having seen it."""


class AboveCeiling(Invalid):
    """More than those who run the app let this organisation use."""


def settings_limits() -> Amounts:
    """What binds whom no administrator has set a budget for."""
    settings = UsageSettings.load()
    return {
        "person_hour": settings.person_tokens_per_hour,
        "person_day": settings.person_tokens_per_day,
        "person_month": microdollars(settings.person_dollars_per_month),
        "person_calls_hour": settings.person_calls_per_hour,
        "person_calls_day": settings.person_calls_per_day,
        "organization_calls_hour": settings.organization_calls_per_hour,
        "organization_calls_day": settings.organization_calls_per_day,
        "organization_hour": settings.organization_tokens_per_hour,
        "organization_day": settings.organization_tokens_per_day,
        "organization_month": microdollars(settings.organization_dollars_per_month),
    }


def ceilings_of(given: UsageCeiling | None) -> Amounts:
    """The most that an organisation may use: what it was given, or what the settings say."""
    rest = settings_limits()
    return {
        name: rest[f"organization_{short}"] if (one := getattr(given, name, None)) is None else one
        for name, short in LIMITS.items()
    }


def lower(own: int | None, ceiling: int | None) -> int | None:
    """What binds of the two, as usage_reserve() has it."""
    return min((one for one in (own, ceiling) if one is not None), default=None)


async def ceilings(db: AsyncSession, organization_id: UUID) -> Amounts:
    return ceilings_of(
        await db.scalar(select(UsageCeiling).where(UsageCeiling.organization_id == organization_id))
    )


async def limits(db: AsyncSession, organization_id: UUID, user_id: UUID | None) -> Amounts:
    """What binds now, under names such as `person_hour`; None does not bind."""
    rows = await db.scalars(
        select(UsageLimit)
        .where(UsageLimit.organization_id == organization_id)
        .where((UsageLimit.user_id == user_id) | UsageLimit.user_id.is_(None))
    )
    found = settings_limits()
    for name, most in (await ceilings(db, organization_id)).items():
        found[f"organization_{LIMITS[name]}"] = most
    for row in rows:
        for name, short in LIMITS.items():
            own = getattr(row, name)
            if row.user_id is None:
                found[f"organization_{short}"] = lower(own, found[f"organization_{short}"])
            elif own is not None:
                found[f"person_{short}"] = own
    return found


async def own_limits(
    db: AsyncSession, organization_id: UUID, user_id: UUID | None
) -> UsageLimit | None:
    """What was set for this person, or with no `user_id` for the organisation."""
    found: UsageLimit | None = await db.scalar(
        select(UsageLimit)
        .where(UsageLimit.organization_id == organization_id)
        .where(UsageLimit.user_id.is_not_distinct_from(user_id))
    )
    return found


def seen_of(row: UsageLimit | UsageCeiling | None) -> str:
    """Tells whether the budgets are still what they were."""
    values = [getattr(row, name, None) for name in (*LIMITS, "cost_center")]
    return blake2b(repr(values).encode(), digest_size=8).hexdigest()


async def must_be_here(db: AsyncSession, user_id: UUID | None) -> None:
    """Raises `NotFound` for people of other organisations."""
    if user_id and not await db.scalar(select(PEOPLE.c.id).where(PEOPLE.c.id == user_id)):
        raise NotFound("No such person.")


async def people(db: AsyncSession, *, most: int) -> list[tuple[UUID, str]]:
    """Who may get a budget of their own, by name."""
    rows = await db.execute(select(PEOPLE).order_by(PEOPLE.c.display_name, PEOPLE.c.id).limit(most))
    return [(row.id, row.display_name) for row in rows]


async def set_limit(
    db: AsyncSession,
    person: Person,
    *,
    user_id: UUID | None,
    cost_center: str | None = None,
    seen: str | None = None,
    **given: int | None,
) -> None:
    """Set the budgets of a person, or with no `user_id` of the organisation: any of `LIMITS`.

    None stands for what the settings say, of an organisation for its ceiling. The cost centre stays
    when it is None; an empty one is none of its own. Raises `NotFound` for people of other
    organisations, `AboveCeiling`, and `BudgetsChangedMeanwhile` when they are not what was `seen`
    any more.
    """
    await must_be_here(db, user_id)
    values: dict[str, int | str | None] = {**complete(given)}
    if cost_center is not None:
        values["cost_center"] = cost_center.strip() or None
    await one_at_a_time(db, person.organization_id)
    before = await own_limits(db, person.organization_id, user_id)
    if seen not in {None, seen_of(before)}:
        raise BudgetsChangedMeanwhile(
            "Somebody set these budgets meanwhile: look at them once more."
        )
    month = before.microdollars_per_month if before else None
    most: Amounts = dict.fromkeys(LIMITS)
    if user_id is None:
        most = await ceilings(db, person.organization_id)
        _refuse_more(given, most, amounts_of(before))
    await db.execute(
        insert(UsageLimit)
        .values(organization_id=person.organization_id, user_id=user_id, **values)
        .on_conflict_do_update(constraint="uq_usage_limits_holder", set_=values)
    )
    name = "microdollars_per_month"
    if lower(given.get(name), most[name]) != lower(month, most[name]):
        await warn_anew(db, person.organization_id, user_id)
    await audit.record(db, "usage.limited", person=person, target=user_id, detail=values)


def amounts_of(row: UsageLimit | UsageCeiling | None) -> Amounts:
    """What stands there; None where nothing was set."""
    return {name: getattr(row, name, None) for name in LIMITS}


def complete(given: Amounts) -> Amounts:
    """All of `LIMITS`; those not named are None."""
    if unknown := given.keys() - set(LIMITS):
        raise TypeError(f"There is no budget called {', '.join(sorted(unknown))}.")
    return {name: given.get(name) for name in LIMITS}


async def one_at_a_time(db: AsyncSession, organization_id: UUID) -> None:
    """Until the transaction ends nobody else sets budgets or ceilings of this organisation."""
    lock = func.hashtextextended(f"budgets {organization_id}", 0)
    await db.execute(select(func.pg_advisory_xact_lock(lock)))


def _refuse_more(given: Amounts, most: Amounts, before: Amounts) -> None:
    """What stood there before the ceiling fell may stay: the ceiling binds all the same."""
    above = {
        name: f"At most {said(name, ceiling)}. Only those who run this app can raise that."
        for name, ceiling in most.items()
        if ceiling is not None
        and (given.get(name) or 0) > ceiling
        and given.get(name) != before[name]
    }
    if above:
        raise AboveCeiling("This is more than the organisation may use.", errors=above)


def said(name: str, amount: int) -> str:
    """An amount of one of `LIMITS`, in words."""
    if name == "microdollars_per_month":
        text = f"{amount / 1_000_000:,.6f}".rstrip("0")
        whole, _, rest = text.partition(".")
        return f"${whole}.{rest:0<2}"
    return f"{amount:,} {name.partition('_')[0]}"


async def warn_anew(db: AsyncSession, organization_id: UUID, user_id: UUID | None) -> None:
    """What was told of the budget before, and refused by it, says nothing of this one."""
    month = func.date_trunc("month", func.now(), "UTC")
    async with elevated(db):
        await db.execute(
            delete(UsageWarning)
            .where(UsageWarning.organization_id == organization_id)
            .where(UsageWarning.user_id.is_not_distinct_from(user_id))
            .where(UsageWarning.starts_at == month)
        )
        await db.execute(
            update(UsageCounter)
            .where(UsageCounter.organization_id == organization_id)
            .where(UsageCounter.user_id.is_not_distinct_from(user_id))
            .where(UsageCounter.period == "month", UsageCounter.starts_at == month)
            .values(refused=0)
        )
