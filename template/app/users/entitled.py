"""Whom to write to: the active members of an organisation whose role allows something."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, any_, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.roles import Role, granted
from app.users.models import CustomRole, Membership, User

MOST = 50


class Reader(NamedTuple):
    user_id: UUID
    email: str
    display_name: str


async def entitled(db: AsyncSession, organization_id: UUID, permission: str) -> list[Reader]:
    """Those who may, by a built-in role or one of the organisation's own; as app_auth."""
    built_in = [str(one) for one in Role if permission in granted(one)]
    return await _readers(
        db,
        organization_id,
        or_(
            Membership.role.in_(built_in),
            literal(permission) == any_(CustomRole.permissions),
        ),
    )


async def reader(db: AsyncSession, organization_id: UUID, user_id: UUID) -> list[Reader]:
    """One person, while they are an active member; as app_auth."""
    return await _readers(db, organization_id, User.id == user_id)


async def _readers(
    db: AsyncSession, organization_id: UUID, who: ColumnElement[bool]
) -> list[Reader]:
    rows = await db.execute(
        select(User.id, User.email, User.display_name)
        .join(Membership, Membership.user_id == User.id)
        .outerjoin(CustomRole, CustomRole.id == Membership.role_id)
        .where(Membership.organization_id == organization_id, who)
        .where(Membership.suspended_at.is_(None), User.activated_at.is_not(None))
        .order_by(User.id)
        .limit(MOST)
    )
    return [Reader(*row) for row in rows]
