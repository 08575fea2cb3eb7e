"""What someone may do now, whatever was true when they asked."""

from dataclasses import replace
from functools import cache
from itertools import chain
from typing import LiteralString
from uuid import UUID

from sqlalchemy import BindParameter, Select, bindparam, select
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import lasting
from app.access.person import Person
from app.access.roles import held_by
from app.core.direct import direct
from app.users.models import CustomRole, Membership, Organization, User


async def held_now(db: AsyncSession, user_id: UUID) -> frozenset[str]:
    """Nothing for who has left, or is suspended. Row security says of which organisation."""
    row = (await db.execute(_rights(user_id))).one_or_none()
    return frozenset() if row is None else held_by(row.role, row.permissions)


async def still(person: Person) -> Person | None:
    """Someone whose answer is being written, with what is left of their rights since they asked.

    None for who has left or is suspended, and when the session or the key that they came by opens
    nothing any more. One round trip.
    """
    mine = {"user_id": person.user_id}
    async with direct(organization_id=person.organization_id, **mine) as db:
        found, *doors = await db.fetch_all((_straight(), mine), *lasting.asked(person))
    if not found or not lasting.opens(person, list(chain(*doors))):
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
        away=True,
    )


@cache
def _straight() -> LiteralString:
    """The same question as a text for the driver: every round of tools asks it twice."""
    asked = _rights(bindparam("user_id")).compile(
        dialect=psycopg.dialect()  # type: ignore[no-untyped-call]
    )
    return str(asked)


def _rights(user_id: UUID | BindParameter[UUID]) -> Select[str, list[str]]:
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
