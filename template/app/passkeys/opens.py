"""A passkey signs in by itself. One that was seen twice opens nothing any more."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.opens import Opener
from app.passkeys.models import Passkey


async def of(db: AsyncSession, user_id: UUID) -> list[Opener]:
    mine = select(Passkey).where(Passkey.user_id == user_id, Passkey.copied_at.is_(None))
    return [
        Opener("Passkey", one.name, one.created_at, "/account/security/passkeys")
        for one in await db.scalars(mine)
    ]
