"""Whether someone can enter an account at all. As app_auth."""

from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import second_factors
from app.auth.models import Password
from app.modules import parts


async def exist(db: AsyncSession, user_id: UUID) -> bool:
    """A password, a factor, or what a `way_in.py` says: `async def has(db, user_id) -> bool`."""
    if await db.scalar(select(exists().where(Password.user_id == user_id))):
        return True
    if await second_factors.kinds(db, user_id):
        return True
    for part in parts("way_in"):
        if await part.has(db, user_id):
            return True
    return False
