"""Reserve before a call, settle after it, and say what was used."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from psycopg import Error as PsycopgError
from sqlalchemy import delete, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import now
from app.core.direct import Direct, write
from app.core.errors import TooMany, Unavailable
from app.core.logging import log
from app.limits.connections import fetch
from app.usage.budgets import settings_limits
from app.usage.models import (
    UsageAnomaly,
    UsageCounter,
    UsageInstallation,
    UsageRecord,
    UsageWarning,
)
from app.usage.settings import UsageSettings, microdollars

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


class TokensSpent(TooMany):
    """Too few tokens are left in this hour or day."""


class CallsSpent(TooMany):
    """No calls are left in this hour or day."""


class BudgetSpent(TooMany):
    """Too little money is left in this month."""


class ServiceBudgetSpent(BudgetSpent):
    """Too little is left of what all organisations may spend in this month together."""


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
