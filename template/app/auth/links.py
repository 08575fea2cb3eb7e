"""Links that are mailed: each works once, for a while, and only its digest is kept."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import OneTimeLink
from app.core.clock import now
from app.core.crypto import digest, new_token
from app.core.errors import Problem

LIFETIME = {"activate": timedelta(hours=24), "reset": timedelta(hours=1)}


class LinkExpired(Problem):
    status = 410

    def __init__(self) -> None:
        super().__init__("This link was used already or is too old; ask for a new one.")


async def make(
    db: AsyncSession, user_id: UUID, purpose: str, *, password_hash: str | None = None
) -> str:
    """A new link; earlier ones for a new password stop working."""
    if purpose == "reset":
        await end_all(db, user_id, purpose)
    token = new_token()
    db.add(
        OneTimeLink(
            user_id=user_id,
            purpose=purpose,
            token_digest=digest(token),
            password_hash=password_hash,
            expires_at=now() + LIFETIME[purpose],
        )
    )
    return token


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
