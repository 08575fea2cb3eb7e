"""Tells what no person does from what people do, by counters, and says what follows from it.

What is usual costs one statement for a failed sign-in or a sign-up, and nothing for anything that
succeeds. Only what is above a threshold is written down.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID

from psycopg import Error as PsycopgError
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from app.abuse import in_force
from app.abuse.models import AbuseTally
from app.abuse.settings import AbuseSettings
from app.abuse.subjects import EVERYONE, Subject, address, network, organization
from app.audit import service as audit
from app.core.clock import now
from app.core.crypto import keyed_digest
from app.core.ids import uuid7
from app.core.logging import log
from app.core.settings import answers
from app.limits import lockout
from app.limits.connections import fetch

FAILED: LiteralString = (
    "SELECT * FROM abuse_sign_in_failed(%(address)s, %(network)s, %(login)s, %(most)s,"
    " %(lockout)s, %(organization)s, %(slug)s, %(called)s, %(least)s)"
)
SIGNED_UP: LiteralString = (
    "SELECT * FROM abuse_sign_up(%(network)s, %(login)s, %(most)s, %(slug)s, %(called)s, %(least)s)"
)
COUNT: LiteralString = (
    "SELECT abuse_count(%(subject)s, %(what)s, %(items)s::bigint[], 3600, %(most)s)"
)
SEE: LiteralString = (
    "SELECT abuse_see(%(kind)s, %(organization_id)s, %(slug)s, %(called)s, %(subject_kind)s,"
    " %(shown)s, %(subject_key)s, %(count)s, %(usual)s, %(measure)s, %(scope)s, %(seconds)s,"
    " %(id)s, %(measure_id)s, %(request_id)s, %(network)s)"
)
CHALLENGED, SUSPENDED = 2, 4
"""How many times the slowing number of logins an address is challenged and suspended at."""
NEIGHBOURS = 3
"""How many times as much a whole network may."""

SEEN: Counter[tuple[str, str]] = Counter()
"""Since the process started, by kind and measure: for metrics to read."""


@dataclass(frozen=True)
class Seen:
    kind: str
    subject: Subject
    count: int
    usual: int
    measure: str | None
    scope: str


async def sign_in_failed(
    login: str, client: str, device: str | None, organization_id: UUID | None
) -> None:
    """Count a failed sign-in. Those from a device that the person knows are slips, no attack."""
    if lockout.device_name(login, device) is not None:
        return
    settings = AbuseSettings.load()
    at, around = address(client), network(client)
    row = await _counted(
        FAILED,
        {
            "address": at.key,
            "network": around.key,
            "login": fingerprint(lockout.normal(login), "abuse login"),
            "most": settings.logins_per_address * SUSPENDED,
            "lockout": lockout.counter(login, None),
            "organization": organization_id,
            "least": settings.failures_usual,
        },
    )
    if row is None:
        return
    at_address, in_network, here, usual, here_in_it, usual_in_it = row
    limit = settings.logins_per_address
    if measure := _of_logins(at_address, limit):
        await see(Seen("stuffing", at, at_address, limit, measure, "sign-in"))
    if measure := _of_logins(in_network, limit * NEIGHBOURS):
        await see(Seen("stuffing", around, in_network, limit * NEIGHBOURS, measure, "sign-in"))
    if _is_above(here, usual, settings.failures_usual):
        await see(Seen("spraying", EVERYONE, here, usual, "challenge", "sign-in"))
    if organization_id and _is_above(here_in_it, usual_in_it, settings.failures_usual):
        # Told to its administrators. Asked of its members only, a challenge would tell who is one.
        of = organization(organization_id)
        await see(Seen("spraying", of, here_in_it, usual_in_it, None, "sign-in"))


async def signed_up(login: str, client: str) -> None:
    """Count someone who asked for an account without an invitation."""
    settings = AbuseSettings.load()
    around = network(client)
    row = await _counted(
        SIGNED_UP,
        {
            "network": around.key,
            "login": fingerprint(lockout.normal(login), "abuse login"),
            "most": settings.sign_ups_per_network,
            "least": settings.sign_ups_usual,
        },
    )
    if row is None:
        return
    in_network, here, usual = row
    limit = settings.sign_ups_per_network
    if in_network >= limit:
        await see(Seen("sign-up-flood", around, in_network, limit, "challenge", "sign-up"))
    if _is_above(here, usual, settings.sign_ups_usual):
        await see(Seen("sign-up-flood", EVERYONE, here, usual, "challenge", "sign-up"))


async def different(subject: Subject, what: str, items: list[int], most: int) -> int:
    """How many different things a subject did in this hour, with these."""
    row = await _counted(
        COUNT, {"subject": subject.key, "what": what, "items": items, "most": most}
    )
    return int(row[0]) if row else 0


async def see(seen: Seen) -> None:
    """Write down what was seen and set the measure that follows from it."""
    settings = AbuseSettings.load()
    minutes = settings.suspend_minutes if seen.measure == "suspend" else settings.measure_minutes
    event = audit.event("abuse.seen")
    row = await _counted(
        SEE,
        {
            "kind": seen.kind,
            "organization_id": seen.subject.organization_id,
            "subject_kind": seen.subject.kind,
            "shown": seen.subject.shown,
            "subject_key": seen.subject.key,
            "count": seen.count,
            "usual": seen.usual,
            "measure": seen.measure,
            "scope": seen.scope,
            "seconds": minutes * 60,
            "id": event["id"],
            "measure_id": uuid7(),
            "request_id": event["request_id"],
            "network": event["network"],
        },
    )
    if row and row[0]:
        SEEN[seen.kind, seen.measure or "none"] += 1
        log.warning(
            "abuse.seen",
            kind=seen.kind,
            of=seen.subject.kind,
            count=seen.count,
            measure=seen.measure,
        )
        in_force.forget()


async def forget_tallies(db: AsyncSession, organization_id: UUID) -> None:
    """Begin these ten minutes anew, or what was lifted would be back at once; as app_auth."""
    await db.execute(
        delete(AbuseTally).where(
            AbuseTally.organization_id == organization_id,
            AbuseTally.started_at > now() - timedelta(minutes=10),
        )
    )


def fingerprint(text: str, purpose: str) -> int:
    """64 bits of a keyed digest: tells texts apart, and tells nothing of them."""
    return int.from_bytes(keyed_digest(text, purpose)[:8], "big", signed=True)


def operator() -> dict[str, str]:
    """Which organisation runs the app; see the migration."""
    project = answers()["project"]
    return {"slug": str(project["slug"]), "called": str(project["name"])}


def _of_logins(count: int, limit: int) -> str | None:
    if count >= limit * SUSPENDED:
        return "suspend"
    if count >= limit * CHALLENGED:
        return "challenge"
    return "slow" if count >= limit else None


def _is_above(count: int | None, usual: int | None, least: int) -> bool:
    if count is None or count < least:
        return False
    return count >= (usual or 0) * AbuseSettings.load().times_the_usual


async def _counted(statement: LiteralString, values: dict[str, Any]) -> Any:
    """None when it cannot be counted: nobody fails to sign in for that."""
    try:
        return await fetch(statement, values | operator())
    except (PsycopgError, TimeoutError) as error:
        log.error("abuse.not_counted", error=type(error).__name__)
        return None
