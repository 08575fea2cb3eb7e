"""Reserve before a call, settle after it, and say what was used."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import LiteralString
from uuid import UUID

from psycopg import Error as PsycopgError
from sqlalchemy import column, delete, func, select, table, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.clock import now
from app.core.db import elevated
from app.core.direct import Direct, write
from app.core.errors import Conflict, NotFound, TooMany, Unavailable
from app.core.logging import log
from app.limits.connections import fetch
from app.usage.models import (
    UsageAnomaly,
    UsageCounter,
    UsageInstallation,
    UsageLimit,
    UsageRecord,
    UsageWarning,
)
from app.usage.settings import UsageSettings, microdollars

# Names, read from the table of users without its models; row security shows the colleagues in it.
PEOPLE = table("users", column("id"), column("display_name"))

RESERVE: LiteralString = (
    "SELECT * FROM usage_reserve(%(call_id)s, %(organization_id)s, %(user_id)s, %(feature)s,"
    " %(provider)s, %(model)s, %(prompt)s, %(prompt_version)s, %(tokens)s,"
    " %(microdollars)s, %(price_known)s, %(seconds)s,"
    " %(person_hour)s, %(person_day)s, %(person_month)s, %(person_calls_hour)s,"
    " %(person_calls_day)s, %(organization_hour)s, %(organization_day)s, %(organization_month)s,"
    " %(organization_calls_hour)s, %(organization_calls_day)s, %(is_extra)s,"
    " %(installation_month)s)"
)
SETTLE: LiteralString = (
    "SELECT usage_settle(%(call_id)s, %(organization_id)s, %(user_id)s, %(feature)s, %(provider)s,"
    " %(prompt)s, %(prompt_version)s, %(state)s, %(outcome)s, %(model)s, %(input_tokens)s,"
    " %(cached_input_tokens)s, %(output_tokens)s, %(microdollars)s, %(estimated)s, %(price_known)s,"
    " %(first_text_ms)s)"
)
IS_SETTLED: LiteralString = (
    "SELECT state, outcome FROM usage_records WHERE id = %(call_id)s FOR UPDATE"
)

LIMITS = (
    "calls_per_hour",
    "calls_per_day",
    "tokens_per_hour",
    "tokens_per_day",
    "microdollars_per_month",
)


class TokensSpent(TooMany):
    """Too few tokens are left in this hour or day."""


class CallsSpent(TooMany):
    """No calls are left in this hour or day."""


class BudgetSpent(TooMany):
    """Too little money is left in this month."""


class ServiceBudgetSpent(BudgetSpent):
    """Too little is left of what all organisations may spend in this month together."""


class BudgetsChangedMeanwhile(Conflict):
    """Somebody set them after they were looked at: nobody undoes that without having seen it."""


class BudgetsUnreachable(Unavailable):
    """The database does not answer. What is not reserved is not sent."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a call may use at most."""

    call_id: UUID
    organization_id: UUID
    user_id: UUID | None
    feature: str
    provider: str
    tokens: int
    microdollars: int
    prompt: str = ""
    """The registered prompt, with its version."""
    prompt_version: int | None = None


@dataclass(frozen=True, slots=True)
class Used:
    """What a call did use. All zero when nothing was billed."""

    model: str
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    microdollars: int = 0
    estimated: bool = False
    price_known: bool = True
    first_text_ms: int | None = None


async def reserve(
    wanted: Reservation,
    *,
    model: str,
    price_known: bool,
    seconds: float,
    is_extra: bool = False,
) -> None:
    """Set a call aside with its tokens and money, or raise one of the four problems above.

    Who is refused sets nothing aside. The statement commits by itself, so that it holds for
    everyone at once, and takes a single round trip. It does not wait for the disk: a call whose
    reservation is lost with the database's power is booked in full when it is settled. What is not
    settled within `seconds` was left behind by a process that died. What nobody has asked for
    `is_extra`: when it does not fit, no refusal is counted.
    """
    values = {
        "call_id": wanted.call_id,
        "organization_id": wanted.organization_id,
        "user_id": wanted.user_id,
        "feature": wanted.feature,
        "provider": wanted.provider,
        "model": model[:200],
        "prompt": wanted.prompt,
        "prompt_version": wanted.prompt_version,
        "tokens": wanted.tokens,
        "microdollars": wanted.microdollars,
        "price_known": price_known,
        "seconds": seconds,
        "is_extra": is_extra,
        "installation_month": microdollars(UsageSettings.load().installation_dollars_per_month),
        **settings_limits(),
    }
    try:
        row = await fetch(RESERVE, values)
    except (PsycopgError, TimeoutError) as error:
        raise BudgetsUnreachable("Budgets cannot be checked now; please try again.") from error
    refused_by, again_at = row or (None, None)  # A function always gives a row.
    if refused_by is not None:
        refusal = _refusal(refused_by, again_at)
        if isinstance(refusal, ServiceBudgetSpent) and not is_extra:
            log.warning("usage.installation_spent", call_id=str(wanted.call_id))
        raise refusal


async def settle(db: Direct, reservation: Reservation, used: Used, outcome: str) -> None:
    """Book what a call used and give the rest back, with the commit; once, however often asked."""
    # A training costs money and takes nothing from the quotas of tokens.
    spent = used.input_tokens + used.output_tokens + used.microdollars > 0
    state = "settled" if spent else "released"
    await write(db, SETTLE, _settling(reservation, state, used, outcome))


async def is_settled(db: Direct, call_id: UUID) -> bool:
    """Whether this was done already. Waits for a transaction that is still at it."""
    rows = await db.fetch(IS_SETTLED, {"call_id": call_id})
    return any(state != "reserved" and outcome != "orphaned" for state, outcome in rows)


def _settling(of: Reservation, state: str, used: Used, outcome: str) -> dict[str, object]:
    return {
        "call_id": of.call_id,
        "organization_id": of.organization_id,
        "user_id": of.user_id,
        "feature": of.feature,
        "provider": of.provider,
        "prompt": of.prompt,
        "prompt_version": of.prompt_version,
        "state": state,
        "outcome": outcome,
        "model": used.model[:200],
        "input_tokens": used.input_tokens,
        "cached_input_tokens": used.cached_input_tokens,
        "output_tokens": used.output_tokens,
        "microdollars": used.microdollars,
        "estimated": used.estimated,
        "price_known": used.price_known,
        "first_text_ms": used.first_text_ms,
    }


def settings_limits() -> dict[str, int | None]:
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


def _refusal(by: str, again_at: datetime) -> TooMany:
    holder, _, period = by.partition("_")
    whose = "Your" if holder == "person" else "Your organisation's"
    seconds = max(1.0, (again_at - now()).total_seconds())
    if holder == "installation":
        # Nothing of how much the others spent, nor whether a smaller call would fit.
        return ServiceBudgetSpent(
            "This service's budget for model calls is used up for this month. Please turn to those"
            f" who run it; it starts anew on {again_at.day} {again_at:%B}.",
            retry_after=seconds,
        )
    if period == "month":
        return BudgetSpent(
            f"What is left of {whose.lower()} budget for model calls is too little for this one."
            f" It starts anew on {again_at.day} {again_at:%B}.",
            retry_after=seconds,
        )
    unit, _, length = period.rpartition("_")
    spent = f"{whose} calls for this {length} are used up."
    few = f"{whose} tokens that are left for this {length} are too few for this."
    return (CallsSpent if unit else TokensSpent)(
        f"{spent if unit else few} There are new ones from {again_at:%H:%M} UTC.",
        retry_after=seconds,
    )


async def limits(
    db: AsyncSession, organization_id: UUID, user_id: UUID | None
) -> dict[str, int | None]:
    """What binds now, under names such as `person_hour`; None does not bind."""
    rows = await db.scalars(
        select(UsageLimit)
        .where(UsageLimit.organization_id == organization_id)
        .where((UsageLimit.user_id == user_id) | UsageLimit.user_id.is_(None))
    )
    found = settings_limits()
    for row in rows:
        holder = "person" if row.user_id else "organization"
        given = {
            "calls_hour": row.calls_per_hour,
            "calls_day": row.calls_per_day,
            "hour": row.tokens_per_hour,
            "day": row.tokens_per_day,
            "month": row.microdollars_per_month,
        }
        found |= {f"{holder}_{period}": most for period, most in given.items() if most is not None}
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


def seen_of(row: UsageLimit | None) -> str:
    """Tells whether the budgets are still what they were."""
    values = [getattr(row, name, None) for name in (*LIMITS, "cost_center")]
    return blake2b(repr(values).encode(), digest_size=8).hexdigest()


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

    None stands for what the settings say. The cost centre stays when it is None; an empty one is
    none of its own. Raises `NotFound` for people of other organisations, and
    `BudgetsChangedMeanwhile` when they are not what was `seen` any more.
    """
    if user_id and not await db.scalar(select(PEOPLE.c.id).where(PEOPLE.c.id == user_id)):
        raise NotFound("No such person.")
    if unknown := given.keys() - set(LIMITS):
        raise TypeError(f"There is no budget called {', '.join(sorted(unknown))}.")
    values: dict[str, int | str | None] = {name: given.get(name) for name in LIMITS}
    if cost_center is not None:
        values["cost_center"] = cost_center.strip() or None
    lock = func.hashtextextended(f"budgets {person.organization_id}", 0)
    await db.execute(select(func.pg_advisory_xact_lock(lock)))
    before = await own_limits(db, person.organization_id, user_id)
    if seen not in {None, seen_of(before)}:
        raise BudgetsChangedMeanwhile(
            "Somebody set these budgets meanwhile: look at them once more."
        )
    month = before.microdollars_per_month if before else None
    await db.execute(
        insert(UsageLimit)
        .values(organization_id=person.organization_id, user_id=user_id, **values)
        .on_conflict_do_update(constraint="uq_usage_limits_holder", set_=values)
    )
    if values["microdollars_per_month"] != month:
        await _warn_anew(db, person.organization_id, user_id)
    await audit.record(db, "usage.limited", person=person, target=user_id, detail=values)


async def _warn_anew(db: AsyncSession, organization_id: UUID, user_id: UUID | None) -> None:
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


async def orphans(db: AsyncSession, *, most: int = 500) -> list[UsageRecord]:
    """Reservations that a killed process left behind; as app_auth, over all organisations."""
    rows = await db.scalars(
        select(UsageRecord)
        .where(UsageRecord.state == "reserved", UsageRecord.expires_at < func.now())
        .order_by(UsageRecord.expires_at)
        .limit(most)
    )
    return list(rows)


async def release(db: Direct, record: UsageRecord) -> bool:
    """Give back what a dead process had reserved. Should its end be told later, it is booked.

    False when it was told meanwhile.
    """
    reservation = Reservation(
        record.id,
        record.organization_id,
        record.user_id,
        record.feature,
        record.provider,
        record.reserved_tokens,
        record.reserved_microdollars,
    )
    given = _settling(reservation, "released", Used(record.model), "orphaned")
    ((released,),) = await db.fetch(SETTLE, given)
    return bool(released)


async def forget_old_counters(db: AsyncSession) -> None:
    """Delete the sums of hours and days long past; the ledger still has their calls.

    What an organisation's hours come to is compared with for eight weeks.
    """
    whole = UsageCounter.user_id.is_(None)
    for period, days, which in (("hour", 7, ~whole), ("hour", 62, whole), ("day", 62, true())):
        await db.execute(
            delete(UsageCounter)
            .where(UsageCounter.period == period, which)
            .where(UsageCounter.starts_at < now() - timedelta(days=days))
        )
    await db.execute(
        delete(UsageWarning).where(UsageWarning.starts_at < now() - timedelta(days=62))
    )
    past = now() - timedelta(days=400)
    await db.execute(delete(UsageAnomaly).where(UsageAnomaly.last_at < past))
    await db.execute(delete(UsageInstallation).where(UsageInstallation.starts_at < past))
