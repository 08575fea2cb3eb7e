"""Write the log, and look things up in it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy import Select, column, select, table
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit.chain import canonical
from app.audit.models import Event
from app.core.direct import Direct, write
from app.core.ids import uuid7
from app.core.logging import client_address, request_id
from app.core.metrics import Counter

EVENTS = Counter("app_security_events_total", "Events for the audit log, by kind.", "action")
ACTION = re.compile(r"[a-z][a-z_-]*(\.[a-z][a-z_-]*)+")
PERSON = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
DETAIL_BYTES = 2048
TARGET_CHARACTERS = 200

APPEND: LiteralString = (
    "SELECT audit_append(%(id)s, %(organization_id)s, %(user_id)s, %(session_id)s, %(action)s,"
    " %(target)s, CAST(%(detail)s AS jsonb), %(request_id)s, %(network)s, %(on_behalf_of)s)"
)
# The table belongs to users, which stands above; row security shows the colleagues in it.
PEOPLE = table("users", column("id"), column("display_name"))


@dataclass(frozen=True)
class Filter:
    """Which events; `action` is one action, or a group of them such as `session`."""

    action: str = ""
    user_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Page:
    """Events, newest first. `before` is where the next page starts, if there is one."""

    events: Sequence[Event]
    before: int | None


async def record(
    db: AsyncSession | Direct,
    action: str,
    *,
    person: Person | None = None,
    organization_id: UUID | None = None,
    user_id: UUID | None = None,
    on_behalf_of: UUID | None = None,
    target: str | UUID | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Append an event in the caller's transaction: what is rolled back was never recorded.

    With no organisation it goes to the platform's chain. While an administrator works as `person`
    it is they who did it, on behalf of that person. The log cannot be changed, so `target`
    and `detail` hold ids, counts and names of fields, never what a person wrote or is called.
    Call it late: until the transaction ends, others wait to append to the same chain.
    """
    await write(
        db,
        APPEND,
        event(
            action,
            person=person,
            organization_id=organization_id,
            user_id=user_id,
            on_behalf_of=on_behalf_of,
            target=target,
            detail=detail,
        ),
    )


def event(
    action: str,
    *,
    person: Person | None = None,
    organization_id: UUID | None = None,
    user_id: UUID | None = None,
    on_behalf_of: UUID | None = None,
    target: str | UUID | None = None,
    detail: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The same for a SQL function that calls audit_append(): what it wants to know."""
    if not ACTION.fullmatch(action):
        raise ValueError(f"An action reads like session.started, not {action!r}.")
    if target is not None and len(str(target)) > TARGET_CHARACTERS:
        raise ValueError(f"A target has at most {TARGET_CHARACTERS} characters.")
    EVENTS.add(action)
    detail_text = canonical(detail or {})
    if len(detail_text.encode()) > DETAIL_BYTES:
        raise ValueError(f"A detail has at most {DETAIL_BYTES} bytes.")
    if person:
        organization_id = organization_id or person.organization_id
        user_id = user_id or person.account
        if behind := person.impersonation:
            user_id, on_behalf_of = behind.user_id, person.user_id
    return {
        "id": uuid7(),
        "organization_id": organization_id,
        "user_id": user_id,
        "session_id": person.session_id if person else None,
        "action": action,
        "target": None if target is None else str(target),
        "detail": detail_text,
        "request_id": request_id.get(),
        "network": network_of(client_address.get()),
        "on_behalf_of": on_behalf_of,
    }


@lru_cache(maxsize=1024)
def network_of(address: str | None) -> str | None:
    """An address without the part that points to one person: /24 of IPv4, /48 of IPv6."""
    try:
        known = ip_address(address or "")
    except ValueError:
        return None
    if mapped := getattr(known, "ipv4_mapped", None):
        known = mapped
    return str(ip_network(f"{known}/{24 if known.version == 4 else 48}", strict=False))


async def search(
    db: AsyncSession,
    organization_id: UUID | None,
    wanted: Filter = Filter(),
    *,
    before: int | None = None,
    limit: int = 50,
) -> Page:
    """The newest events of a chain; `before` is the sequence that the last page ended with."""
    query = _matching(organization_id, wanted).order_by(Event.sequence.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(Event.sequence < before)
    found = (await db.scalars(query)).all()
    more = len(found) > limit
    return Page(found[:limit], found[limit - 1].sequence if more else None)


async def after(
    db: AsyncSession, organization_id: UUID | None, wanted: Filter, sequence: int, limit: int
) -> Sequence[Event]:
    """Events in the order in which they happened, from behind `sequence` on."""
    query = _matching(organization_id, wanted).where(Event.sequence > sequence)
    return (await db.scalars(query.order_by(Event.sequence).limit(limit))).all()


def _matching(organization_id: UUID | None, wanted: Filter) -> Select[Event]:
    query = select(Event).where(Event.organization_id == organization_id)
    if wanted.action:
        group = Event.action.startswith(wanted.action + ".", autoescape=True)
        query = query.where((Event.action == wanted.action) | group)
    if wanted.user_id:
        involved = (Event.user_id == wanted.user_id) | (Event.on_behalf_of == wanted.user_id)
        query = query.where(involved)
    if wanted.since:
        query = query.where(Event.created_at >= wanted.since)
    if wanted.until:
        query = query.where(Event.created_at < wanted.until)
    return query


def sentence(action: str) -> str:
    """`user.role_changed` as people read it: User role changed."""
    return re.sub(r"[._]", " ", action).capitalize()


async def names(db: AsyncSession, events: Sequence[Event], *others: UUID | None) -> dict[str, str]:
    """What the people in these events are called today, by id; those who left are not in it."""
    ids = {one for event in events for one in (event.user_id, event.on_behalf_of)} | {*others}
    ids |= {UUID(event.target) for event in events if event.target and PERSON.match(event.target)}
    rows = await db.execute(select(PEOPLE).where(PEOPLE.c.id.in_(ids - {None})))
    return {str(row.id): row.display_name for row in rows}
