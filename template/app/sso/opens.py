"""A connected account elsewhere signs in to this one."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.opens import Opener
from app.sso import providers
from app.sso.models import SsoIdentity


async def of(db: AsyncSession, user_id: UUID) -> list[Opener]:
    mine = select(SsoIdentity).where(SsoIdentity.user_id == user_id)
    return [
        Opener(
            providers.label_of(one.provider), one.email or "", one.created_at, "/account/security"
        )
        for one in await db.scalars(mine)
    ]
