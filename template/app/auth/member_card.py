"""Where a member is signed in, on the administrators' page about them."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import people, second_factors
from app.auth.devices import device_name

ORDER = 20


async def card(db: AsyncSession, user_id: UUID) -> tuple[str, dict[str, Any]] | None:
    here: UUID | None = await db.scalar(select(func.current_organization()))
    if here is None:
        return None
    found = await people.read(db, here, user_id)
    return "auth/_member_card.html", {
        "sessions": found.sessions,
        "factors": second_factors.of(found.second_factors),
        "has_factors": bool(found.second_factors),
        "device_name": device_name,
    }
