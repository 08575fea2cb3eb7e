from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import may_administer
from app.core.errors import NotFound
from app.impersonation.settings import ImpersonationSettings
from app.users import policies, roles
from app.users import service as users

ORDER = 30


async def card(db: AsyncSession, user_id: UUID) -> tuple[str, dict[str, Any]] | None:
    """On the page about a member: work as them, where that can be."""
    try:
        member = await users.member(db, user_id)
    except NotFound:
        return None
    if not (await policies.read(db)).impersonation or not member.active or member.suspended:
        return None
    if may_administer(await roles.permissions_of(db, member.role)):
        return None
    settings = ImpersonationSettings.load()
    return "impersonation/_member_card.html", {
        "minutes": settings.minutes,
        "longest": settings.longest_minutes,
    }
