"""Links that are mailed: each works once, for a while, and only its digest is kept."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import OneTimeLink
from app.core.clock import now
from app.core.crypto import digest, new_token
from app.core.db import transaction
from app.core.errors import Problem
from app.users.models import User

LIFETIME = {
    "activate": timedelta(hours=24),
    "reset": timedelta(hours=1),
    "email": timedelta(hours=24),
}


class LinkExpired(Problem):
    status = 410

    def __init__(self) -> None:
        super().__init__("This link was used already or is too old; ask for a new one.")


async def make(
    db: AsyncSession,
    user_id: UUID,
    purpose: str,
    *,
    password_hash: str | None = None,
    display_name: str | None = None,
    email: str | None = None,
) -> str:
    """A new link; earlier ones for a new password or address stop working."""
    if purpose in {"reset", "email"}:
        await end_all(db, user_id, purpose)
    token = new_token()
    db.add(
        OneTimeLink(
            user_id=user_id,
            purpose=purpose,
            token_digest=digest(token),
            password_hash=password_hash,
            display_name=display_name,
            email=email,
            expires_at=now() + LIFETIME[purpose],
        )
    )
    return token


async def owner(db: AsyncSession, token: str, purpose: str) -> User:
    """Whose link it is, without using it up. Raises `LinkExpired`."""
    found: User | None = await db.scalar(
        select(User)
        .join(OneTimeLink, OneTimeLink.user_id == User.id)
        .where(OneTimeLink.token_digest == digest(token), OneTimeLink.purpose == purpose)
        .where(OneTimeLink.used_at.is_(None), OneTimeLink.expires_at > now())
    )
    if found is None:
        raise LinkExpired
    return found


async def address(token: str, purpose: str) -> str:
    """The mail address that a link was sent to. Raises `LinkExpired`."""
    async with transaction(elevated=True) as db:
        return (await owner(db, token, purpose)).email


async def use(db: AsyncSession, token: str, purpose: str) -> OneTimeLink:
    """Use a link up. Of many at once exactly one succeeds; the others get `LinkExpired`."""
    link: OneTimeLink | None = await db.scalar(
        update(OneTimeLink)
        .where(OneTimeLink.token_digest == digest(token), OneTimeLink.purpose == purpose)
        .where(OneTimeLink.used_at.is_(None), OneTimeLink.expires_at > now())
        .values(used_at=now())
        .returning(OneTimeLink)
    )
    if link is None:
        raise LinkExpired
    return link


async def end_all(db: AsyncSession, user_id: UUID, purpose: str) -> None:
    await db.execute(
        update(OneTimeLink)
        .where(OneTimeLink.user_id == user_id, OneTimeLink.purpose == purpose)
        .where(OneTimeLink.used_at.is_(None))
        .values(used_at=now())
    )
