"""Start, rotate, list and end sessions. All of it as app_auth."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.models import Session
from app.access.person import Person
from app.access.settings import AccessSettings
from app.core.clock import now
from app.core.crypto import digest, new_token
from app.core.errors import NotFound
from app.core.ids import uuid7


async def start(
    db: AsyncSession,
    *,
    user_id: UUID,
    organization_id: UUID,
    level: str,
    method: str,
    second_factor: bool = False,
    factor: str | None = None,
    address: str = "",
    user_agent: str = "",
) -> tuple[str, UUID]:
    """Begin a session; the token is only ever in the browser, we keep its digest."""
    settings, token, moment, new_id = AccessSettings.load(), new_token(), now(), uuid7()
    # Half-way sessions live ten minutes, long enough to find a phone.
    pending = level == "pending"
    # A plain insert: the unit of work costs more than the row, and everyone signs in at nine.
    await db.execute(
        insert(Session).values(
            id=new_id,
            token_digest=digest(token),
            user_id=user_id,
            organization_id=organization_id,
            level=level,
            method=method,
            second_factor=second_factor,
            factor=factor,
            authenticated_at=moment,
            last_seen_at=moment,
            idle_seconds=600 if pending else settings.idle_minutes * 60,
            expires_at=moment
            + (timedelta(minutes=10) if pending else timedelta(hours=settings.absolute_hours)),
            address=address[:45],
            user_agent=user_agent[:200],
        )
    )
    return token, new_id


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
    meanwhile; of two at once only one rotates.
    """
    row = await db.scalar(
        update(Session)
        .where(Session.id == person.session_id, Session.revoked_at.is_(None))
        .values(revoked_at=now())
        .returning(Session)
    )
    if row is None:
        raise NotFound("This session has ended.")
    token, new_id = await start(
        db,
        user_id=person.user_id,
        organization_id=organization_id or person.organization_id,
        level="full",
        method=row.method,
        # As it was, not as the organisation counts it: another one may count it otherwise.
        second_factor=row.second_factor if second_factor is None else second_factor,
        factor=row.factor if second_factor is None else factor,
        address=row.address,
        user_agent=row.user_agent,
    )
    if not proved:
        await db.execute(
            update(Session)
            .where(Session.id == new_id)
            .values(authenticated_at=row.authenticated_at, expires_at=row.expires_at)
        )
    return token, new_id


async def of_person(db: AsyncSession, user_id: UUID) -> Sequence[Session]:
    """Where someone is signed in now, newest first."""
    moment = now()
    rows = await db.scalars(
        select(Session)
        .where(Session.user_id == user_id, Session.revoked_at.is_(None))
        .where(Session.expires_at > moment, Session.level == "full")
        .order_by(Session.last_seen_at.desc())
    )
    return [row for row in rows if row.last_seen_at + timedelta(seconds=row.idle_seconds) > moment]


async def end(db: AsyncSession, user_id: UUID, session_id: UUID) -> None:
    """End one session of a person."""
    ended = await db.scalar(
        update(Session)
        .where(Session.id == session_id, Session.user_id == user_id, Session.revoked_at.is_(None))
        .values(revoked_at=now())
        .returning(Session.id)
    )
    if ended is None:
        raise NotFound("No such session.")


async def end_replaced(db: AsyncSession, token: str | None) -> None:
    """End the session that a browser held before it signed in anew, whoever's it was."""
    if token:
        await db.execute(
            update(Session)
            .where(Session.token_digest == digest(token), Session.revoked_at.is_(None))
            .values(revoked_at=now())
        )


async def end_all(
    db: AsyncSession,
    user_id: UUID,
    *,
    organization_id: UUID | None = None,
    but: UUID | None = None,
) -> int:
    """End every session of a person, perhaps in one organisation, perhaps but one; how many."""
    query = update(Session).where(Session.user_id == user_id, Session.revoked_at.is_(None))
    if organization_id:
        query = query.where(Session.organization_id == organization_id)
    if but:
        query = query.where(Session.id != but)
    ended = await db.scalars(query.values(revoked_at=now()).returning(Session.id))
    return len(ended.all())


async def forget_old(db: AsyncSession, *, days: int = 30) -> None:
    """Delete what has ended long ago."""
    limit = now() - timedelta(days=days)
    await db.execute(
        delete(Session).where(or_(Session.expires_at < limit, Session.revoked_at < limit))
    )
