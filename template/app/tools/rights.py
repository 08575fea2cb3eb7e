"""What someone may do now, whatever was true when they asked."""

from dataclasses import replace
from typing import LiteralString
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.access.roles import held_by
from app.core.direct import direct
from app.users.models import CustomRole, Membership, Organization, User

# As `_rights`, for what every round of tools asks twice.
RIGHTS: LiteralString = """
SELECT m.role, r.permissions
  FROM memberships m
  JOIN users u ON u.id = m.user_id
  LEFT JOIN roles r ON r.id = m.role_id
 WHERE m.organization_id = %(organization_id)s AND m.user_id = %(user_id)s
   AND m.suspended_at IS NULL AND u.activated_at IS NOT NULL
"""


async def held_now(db: AsyncSession, user_id: UUID) -> frozenset[str]:
    """Nothing for who has left, or is suspended. Row security says of which organisation."""
    row = (await db.execute(_rights(user_id))).one_or_none()
    return frozenset() if row is None else held_by(row.role, row.permissions)


async def still(person: Person) -> Person | None:
    """Someone whose answer is being written, with what is left of their rights since they asked.

    None for who has left, or is suspended.
    """
    where = {"organization_id": person.organization_id, "user_id": person.user_id}
    async with direct(**where) as db:
        found = await db.fetch(RIGHTS, where)
    if not found:
        return None
    return replace(person, permissions=person.permissions & held_by(*found[0]))


async def person_now(db: AsyncSession, user_id: UUID, session_id: UUID) -> Person | None:
    """Someone who is not here, with the rights that they have now; None for who has left."""
    row = (await db.execute(_rights(user_id).add_columns(User, Organization))).one_or_none()
    if row is None:
        return None
    return Person(
        user_id=user_id,
        organization_id=row.Organization.id,
        session_id=session_id,
        email=row.User.email,
        display_name=row.User.display_name,
        role=row.role,
        level="full",
        second_factor=False,
        authenticated_at=row.User.created_at,
        created_at=row.User.created_at,
        second_factor_policy=None,
        organization_name=row.Organization.name,
        permissions=held_by(row.role, row.permissions),
    )


def _rights(user_id: UUID) -> Select[str, list[str]]:
    return (
        select(Membership.role, CustomRole.permissions)
        .join(User, User.id == Membership.user_id)
        .join(Organization, Organization.id == Membership.organization_id)
        .outerjoin(CustomRole, CustomRole.id == Membership.role_id)
        .where(
            Membership.user_id == user_id,
            Membership.suspended_at.is_(None),
            User.activated_at.is_not(None),
        )
    )
