"""A number that is a second factor gets codes; another one opens nothing."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.opens import Opener
from app.sms_codes import service


async def of(db: AsyncSession, user_id: UUID) -> list[Opener]:
    phone = await service.read_in(db, user_id)
    if phone is None or not phone.second_factor:
        return []
    page = "/account/security/phone"
    return [Opener("Text messages", phone.number, phone.confirmed_at, page)]
