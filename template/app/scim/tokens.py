"""The one token of an organisation's directory: shown once, kept as a digest."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.clock import now
from app.core.crypto import digest, new_token
from app.core.db import elevated, transaction
from app.core.errors import NotFound
from app.mail import links
from app.mail import service as mail
from app.scim.errors import UnknownToken
from app.scim.models import ScimToken
from app.users.entitled import entitled

PREFIX = "scim_"
LIFETIME = timedelta(days=365)


@dataclass(frozen=True)
class Token:
    id: UUID
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


async def make(db: AsyncSession, person: Person) -> str:
    """A new token, which administrators are told of by mail.

    Two may be there while a directory changes from one to the other.
    """
    token = PREFIX + new_token()
    made = ScimToken(
        organization_id=person.organization_id,
        digest=digest(token),
        expires_at=now() + LIFETIME,
    )
    async with elevated(db):
        db.add(made)
        await db.flush()
        await audit.record(db, "scim.token_made", person=person, target=made.id)
        await _notice(db, person, made)
    return token


async def _notice(db: AsyncSession, person: Person, made: ScimToken) -> None:
    """Whoever may end the token is told of it: it opens every account of the directory."""
    for one in await entitled(db, made.organization_id, "scim.manage"):
        await mail.send(
            db,
            one.email,
            "scim/token_made",
            name=one.display_name,
            maker=person.display_name,
            organization=person.organization_name,
            until=f"{made.expires_at:%d %B %Y}",
            link=links.to("/admin/directory", api="/api/scim/tokens"),
        )


async def of_organization(db: AsyncSession, person: Person) -> list[Token]:
    async with elevated(db):
        rows = await db.scalars(
            select(ScimToken)
            .where(ScimToken.organization_id == person.organization_id)
            .order_by(ScimToken.id)
        )
    return [Token(row.id, row.created_at, row.expires_at, row.last_used_at) for row in rows]


async def end(db: AsyncSession, person: Person, token_id: UUID) -> None:
    """Raises `NotFound`, also for a token of another organisation."""
    async with elevated(db):
        gone = await db.scalar(
            delete(ScimToken)
            .where(ScimToken.id == token_id)
            .where(ScimToken.organization_id == person.organization_id)
            .returning(ScimToken.id)
        )
        if gone is None:
            raise NotFound("No such token.")
        await audit.record(db, "scim.token_ended", person=person, target=token_id)


async def organization_of(header: str | None) -> UUID:
    """Whose directory asks. Raises `UnknownToken`."""
    kind, _, token = (header or "").partition(" ")
    if kind.lower() != "bearer" or not token.startswith(PREFIX) or len(token) > 100:
        raise UnknownToken
    async with transaction(elevated=True) as db:
        found: UUID | None = await db.scalar(
            update(ScimToken)
            .where(ScimToken.digest == digest(token), ScimToken.expires_at > now())
            .values(last_used_at=now())
            .returning(ScimToken.organization_id)
        )
    if found is None:
        raise UnknownToken
    return found
