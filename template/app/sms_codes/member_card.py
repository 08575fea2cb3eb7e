"""The phone number, on an administrator's page about a member: masked there, too."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.sms_codes import service

ORDER = 30


async def card(db: AsyncSession, user_id: UUID) -> tuple[str, dict[str, Any]] | None:
    phone = await service.read_in(db, user_id)
    return ("sms_codes/_member_card.html", {"phone": phone}) if phone else None
