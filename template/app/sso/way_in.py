"""A provider that vouches for someone is a way into the account."""

from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.sso.models import SsoIdentity


async def has(db: AsyncSession, user_id: UUID) -> bool:
    return bool(await db.scalar(select(exists().where(SsoIdentity.user_id == user_id))))
