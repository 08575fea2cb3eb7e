"""Start, rotate, list and end sessions. All of it as app_auth."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NotRequired, TypedDict, Unpack
from uuid import UUID

from sqlalchemy import Select, column, delete, or_, select, table, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.models import Session
from app.access.person import Person
from app.access.settings import AccessSettings
from app.core.clock import now
from app.core.crypto import digest, new_token
from app.core.errors import Forbidden, NotFound
from app.core.ids import uuid7

# In the order of the function's parameters.
STARTING = (
    "session_id", "token", "replaced", "person", "organization", "level", "method",
    "second_factor", "factor", "moment", "idle", "lasting", "address", "user_agent", "device",
)  # fmt: skip
PEOPLE = table("users", column("id"))
START = text(f"SELECT start_session({', '.join(f':{name}' for name in STARTING)})")


class NotByToken(Forbidden):
    pass


class Start(TypedDict):
    """A new session: whose, how they came in and from where."""

    session_id: NotRequired[UUID]
    user_id: UUID
    organization_id: UUID
    level: str
    method: str
    second_factor: NotRequired[bool]
    factor: NotRequired[str | None]
    address: NotRequired[str]
    user_agent: NotRequired[str]
    device: NotRequired[str | None]
    """The name of a known device; see `limits.lockout`."""
    replaces: NotRequired[str | None]
    """The token of the session that the browser held before, whoever's it was."""


async def start(db: AsyncSession, **of: Unpack[Start]) -> tuple[str, UUID]:
    """Begin a session; the token is only ever in the browser, we keep its digest."""
    token, values = beginning(**of)
    await db.execute(START, values)
    return token, values["session_id"]


def beginning(**of: Unpack[Start]) -> tuple[str, dict[str, Any]]:
    """A token, and what the SQL function start_session() wants to know."""
    settings, token = AccessSettings.load(), new_token()
    # Half-way sessions live ten minutes, long enough to find a phone.
    pending = of["level"] == "pending"
    replaces = of.get("replaces")
    return token, {
        "session_id": of.get("session_id") or uuid7(),
        "token": digest(token),
        "replaced": digest(replaces) if replaces else None,
        "person": of["user_id"],
        "organization": of["organization_id"],
        "level": of["level"],
        "method": of["method"],
        "second_factor": of.get("second_factor", False),
        "factor": of.get("factor"),
        "moment": now(),
        "idle": 600 if pending else settings.idle_minutes * 60,
        "lasting": 600 if pending else settings.absolute_hours * 3600,
        "address": of.get("address", "")[:45],
        "user_agent": of.get("user_agent", "")[:200],
        "device": of.get("device"),
    }


async def rotate(
    db: AsyncSession,
    person: Person,
    *,
    proved: bool,
    second_factor: bool | None = None,
    factor: str | None = None,
    organization_id: UUID | None = None,
) -> tuple[str, UUID]:
    """A new token for a session that rose: the old one, perhaps seen by others, is dead.

    Only with `proved`, everything asked for again, does the proof count anew and the session last
    longer; or a stolen session could keep itself alive. Raises `NotFound` when the session ended
    meanwhile; of two at once only one rotates. Raises `NotByToken` for a program's session: its new
    token would go into a cookie.
    """
    if person.by_token and person.level == "full":
        raise NotByToken("Do this in a browser: here it would end the session of this program.")
    # Whoever ends all sessions does not see one that is just being made: one waits for the other.
    mine = select(PEOPLE.c.id).where(PEOPLE.c.id == person.user_id)
    await db.execute(mine.with_for_update(read=True))
    new_id = uuid7()
    row = await db.scalar(
        update(Session)
        .where(Session.id == person.session_id, Session.revoked_at.is_(None))
        .values(revoked_at=now(), rotated_into=new_id)
        .returning(Session)
    )
    if row is None:
        raise NotFound("This session has ended.")
    token, _ = await start(
        db,
        session_id=new_id,
        user_id=person.user_id,
        organization_id=organization_id or person.organization_id,
        level="full",
        method=row.method,
        # As it was, not as the organisation counts it: another one may count it otherwise.
        second_factor=row.second_factor if second_factor is None else second_factor,
        factor=row.factor if second_factor is None else factor,
        address=row.address,
        user_agent=row.user_agent,
        device=row.device,
    )
    if not proved:
        await db.execute(
            update(Session)
            .where(Session.id == new_id)
            .values(authenticated_at=row.authenticated_at, expires_at=row.expires_at)
        )
    return token, new_id


async def of_person(
    db: AsyncSession, user_id: UUID, *, organization_id: UUID | None = None
) -> Sequence[Session]:
    """Where someone is signed in now, perhaps in one organisation only, newest first."""
    moment = now()
    query = (
        select(Session)
        .where(Session.user_id == user_id, Session.revoked_at.is_(None))
        .where(Session.expires_at > moment, Session.level == "full")
        .order_by(Session.last_seen_at.desc())
    )
    if organization_id:
        query = query.where(Session.organization_id == organization_id)
    rows = await db.scalars(query)
    return [row for row in rows if row.last_seen_at + timedelta(seconds=row.idle_seconds) > moment]


async def device(db: AsyncSession, session_id: UUID) -> str | None:
    """The name of the known device that a session was started from."""
    found: str | None = await db.scalar(select(Session.device).where(Session.id == session_id))
    return found


async def end(db: AsyncSession, user_id: UUID, session_id: UUID) -> None:
    """End one session of a person, or what it has rotated into since they looked at the list.

    One that rotates just now is waited for: call it before anything is recorded, as `end_all`.
    """
    before: UUID | None = None
    newest: UUID | None = session_id
    while newest is not None and newest != before:
        ended = await db.scalar(
            update(Session)
            .where(Session.id == newest, Session.user_id == user_id, Session.revoked_at.is_(None))
            .values(revoked_at=now())
            .returning(Session.id)
        )
        if ended is not None:
            return
        before, newest = newest, await db.scalar(_newest(user_id, newest))
    raise NotFound("No such session.")


def _newest(user_id: UUID, session_id: UUID) -> Select[UUID]:
    """What a session has become by now: itself when it never rotated."""
    line = (
        select(Session.id, Session.rotated_into)
        .where(Session.id == session_id, Session.user_id == user_id)
        .cte("line", recursive=True)
    )
    further = select(Session.id, Session.rotated_into).where(Session.id == line.c.rotated_into)
    line = line.union_all(further)
    return select(line.c.id).where(line.c.rotated_into.is_(None))


async def end_all(
    db: AsyncSession,
    user_id: UUID,
    *,
    organization_id: UUID | None = None,
    but: UUID | None = None,
) -> int:
    """End every session of a person, perhaps in one organisation, perhaps but one; how many.

    Also one that rotates at this moment. Before anything is recorded: who rotates waits for that.
    """
    theirs = select(PEOPLE.c.id).where(PEOPLE.c.id == user_id)
    await db.execute(theirs.with_for_update(key_share=True))
    query = update(Session).where(Session.user_id == user_id, Session.revoked_at.is_(None))
    if organization_id:
        query = query.where(Session.organization_id == organization_id)
    if but:
        query = query.where(Session.id != but)
    ended = await db.scalars(query.values(revoked_at=now()).returning(Session.id))
    return len(ended.all())


async def end_organization(db: AsyncSession, organization_id: UUID, *, but: UUID) -> int:
    """End every session in an organisation but one; how many. Also those that rotate just now."""
    here = select(Session.user_id).where(
        Session.organization_id == organization_id, Session.revoked_at.is_(None)
    )
    # In order, so that two who do this at once do not each wait for the other.
    theirs = select(PEOPLE.c.id).where(PEOPLE.c.id.in_(here)).order_by(PEOPLE.c.id)
    await db.execute(theirs.with_for_update(key_share=True))
    ended = await db.scalars(
        update(Session)
        .where(Session.organization_id == organization_id, Session.revoked_at.is_(None))
        .where(Session.id != but)
        .values(revoked_at=now())
        .returning(Session.id)
    )
    return len(ended.all())


async def forget_old(db: AsyncSession, *, days: int = 30) -> None:
    """Delete what has ended long ago."""
    limit = now() - timedelta(days=days)
    await db.execute(
        delete(Session).where(or_(Session.expires_at < limit, Session.revoked_at < limit))
    )
