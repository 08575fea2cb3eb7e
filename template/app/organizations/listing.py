"""All organisations, for those who run the app: numbers about each, and nothing about its people.

It looks beyond the current organisation, so it works as app_auth; who calls it has asked for
`Operator` first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.settings import AccessSettings
from app.core.db import elevated
from app.users.models import Membership, Organization, OrganizationPolicy

STRICTER = ("optional", "admins", "everyone")


@dataclass(frozen=True)
class Listed:
    id: UUID
    name: str
    slug: str
    created_at: datetime
    members: int
    suspended: int
    """How many of the members are."""
    second_factor: str
    """Of whom one is asked for, by its policy or by the settings."""


@dataclass(frozen=True)
class Page:
    """Newest first. `before` is where the next page starts, if there is one."""

    rows: Sequence[Listed]
    before: UUID | None


async def page(
    db: AsyncSession, *, search: str = "", before: UUID | None = None, limit: int = 50
) -> Page:
    """One page of all organisations, or of those with this text in their name or slug."""
    counted = (
        select(
            func.count().label("members"),
            func.count(Membership.suspended_at).label("suspended"),
        )
        .where(Membership.organization_id == Organization.id)
        .lateral()
    )
    query = (
        select(Organization, counted, OrganizationPolicy.second_factor)
        .select_from(Organization)
        .join(counted, true())
        .outerjoin(OrganizationPolicy, OrganizationPolicy.organization_id == Organization.id)
        .order_by(Organization.id.desc())  # the ids sort by time, and no two are equal
        .limit(limit + 1)
    )
    if before:
        query = query.where(Organization.id < before)
    if wanted := search.strip():
        columns = (Organization.name, Organization.slug)
        query = query.where(or_(*(one.icontains(wanted, autoescape=True) for one in columns)))
    async with elevated(db):
        rows = (await db.execute(query)).all()
    everywhere = AccessSettings.load().second_factor
    found = [
        Listed(
            id=one.id,
            name=one.name,
            slug=one.slug,
            created_at=one.created_at,
            members=members,
            suspended=suspended,
            second_factor=max(everywhere, policy or "optional", key=STRICTER.index),
        )
        for one, members, suspended, policy in rows[:limit]
    ]
    return Page(found, found[-1].id if len(rows) > limit else None)
