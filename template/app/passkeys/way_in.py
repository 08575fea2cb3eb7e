"""A passkey signs in without anything else, so it is a way into the account."""

from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.passkeys.models import Passkey


async def has(db: AsyncSession, user_id: UUID) -> bool:
    """One that was not seen twice: such a one opens nothing any more."""
    mine = select(exists().where(Passkey.user_id == user_id, Passkey.copied_at.is_(None)))
    return bool(await db.scalar(mine))
