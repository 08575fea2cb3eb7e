"""Invitations to someone who has an account already: only the invited address answers them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.clock import now
from app.core.db import elevated, transaction
from app.core.ids import uuid7
from app.users import policies
from app.users import service as users
from app.users.models import Invitation, Membership, Organization

PAGE = "/invitations"
"""Where a mailed invitation leads whoever is signed in; the token is added to it."""


@dataclass(frozen=True)
class Invited:
    id: UUID
    organization_id: UUID
    organization: str
    email: str
    role: str
    expires_at: datetime


async def open_for(db: AsyncSession, person: Person) -> Sequence[Invited]:
    """The open invitations to this person's address, the newest first."""
    query = (
        select(Invitation, Organization.name)
        .join(Organization, Organization.id == Invitation.organization_id)
        .where(func.lower(Invitation.email) == person.email.lower())
        .where(Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))
        .where(Invitation.expires_at > now())
        .order_by(Invitation.id.desc())
    )
    async with elevated(db):
        rows = (await db.execute(query)).all()
    return [_invited(one, name) for one, name in rows]


async def read(token: str) -> Invited:
    """What a mailed invitation says. Raises `InvitationExpired`."""
    async with transaction(elevated=True) as db:
        found = await users.open_invitation(db, token)
        organization = await db.get_one(Organization, found.organization_id)
        return _invited(found, organization.name)


def _invited(one: Invitation, organization: str) -> Invited:
    return Invited(one.id, one.organization_id, organization, one.email, one.role, one.expires_at)


async def accept(db: AsyncSession, person: Person, invitation_id: UUID) -> UUID:
    """Become a member; gives the organisation. Of many at once exactly one succeeds.

    Raises `InvitationExpired`, also for an invitation to another address, `AlreadyMember` or
    `DomainNotAllowed`.
    """
    async with elevated(db):
        found = await _use_up(db, person, invitation_id, "accepted_at")
        await policies.refuse_address(db, found.organization_id, person.email)
        joined = await db.scalar(
            insert(Membership)
            .values(
                id=uuid7(),
                organization_id=found.organization_id,
                user_id=person.user_id,
                role=found.role,
            )
            .on_conflict_do_nothing(index_elements=["organization_id", "user_id"])
            .returning(Membership.id)
        )
        if joined is None:
            raise users.AlreadyMember
        await audit.record(
            db,
            "invitation.accepted",
            organization_id=found.organization_id,
            user_id=person.user_id,
            target=found.id,
        )
    return found.organization_id


async def decline(db: AsyncSession, person: Person, invitation_id: UUID) -> None:
    """Refuse it for good. Raises `InvitationExpired`."""
    async with elevated(db):
        found = await _use_up(db, person, invitation_id, "revoked_at")
        await audit.record(
            db,
            "invitation.declined",
            organization_id=found.organization_id,
            user_id=person.user_id,
            target=found.id,
        )


async def _use_up(db: AsyncSession, person: Person, invitation_id: UUID, column: str) -> Invitation:
    found: Invitation | None = await db.scalar(
        update(Invitation)
        .where(Invitation.id == invitation_id)
        .where(func.lower(Invitation.email) == person.email.lower())
        .where(Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))
        .where(Invitation.expires_at > now())
        .values({column: now()})
        .returning(Invitation)
    )
    if found is None:
        raise users.InvitationExpired
    return found
