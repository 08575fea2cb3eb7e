"""What people are called."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.users.models import User


async def names(db: AsyncSession, ids: Sequence[UUID | None]) -> dict[UUID, str]:
    """Row security shows the colleagues."""
    known = {one for one in ids if one is not None}
    if not known:
        return {}
    query = select(User.id, User.display_name).where(User.id.in_(known))
    return {row.id: row.display_name for row in await db.execute(query)}
