"""The people of an organisation. What needs app_auth says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import service as sessions
from app.access.person import Person
from app.access.roles import Role
from app.audit import service as audit
from app.core.clock import now
from app.core.crypto import digest
from app.core.db import elevated
from app.core.errors import Conflict, NotFound, Problem
from app.core.ids import uuid7
from app.core.settings import answers
from app.limits.service import Rate, take
from app.mail import service as mail
from app.users import inviting, policies, roles
from app.users.founding import lock_owner
from app.users.models import Invitation, Membership, Organization, User
from app.users.schemas import plain_address

PER_ADDRESS = Rate(5, 86_400, strict=True)
"""Invitations of one organisation to one address: a mailbox is no target."""


class LastAdmin(Conflict):
    pass


class OwnerStays(Conflict):
    def __init__(self) -> None:
        super().__init__("The owner stays an administrator until someone else is the owner.")


class AlreadyMember(Conflict):
    def __init__(self) -> None:
        detail = "This person is a member already."
        super().__init__(detail, errors={"email": detail})


class InvitationExpired(Problem):
    status = 410

    def __init__(self) -> None:
        super().__init__("This invitation was used, withdrawn or is too old; ask for a new one.")


@dataclass(frozen=True)
class Member:
    """A person together with the membership in this organisation."""

    id: UUID
    email: str
    display_name: str
    role: str
    active: bool
    suspended: bool
    created_at: datetime


async def organization(db: AsyncSession, person: Person) -> Organization:
    return await db.get_one(Organization, person.organization_id)


async def rename(db: AsyncSession, person: Person, display_name: str) -> None:
    await db.execute(
        update(User).where(User.id == person.user_id).values(display_name=display_name)
    )
    await audit.record(db, "profile.changed", person=person)


async def rename_organization(db: AsyncSession, person: Person, name: str) -> Organization:
    found = await organization(db, person)
    found.name = name
    await audit.record(db, "organization.renamed", person=person)
    return found


async def members(
    db: AsyncSession, *, search: str = "", after: UUID | None = None, limit: int = 50
) -> Sequence[Member]:
    """The people of the organisation by id, oldest first, from after `after`."""
    query = (
        select(User, Membership.role, Membership.suspended_at)
        .join(Membership, Membership.user_id == User.id)
        .order_by(User.id)
        .limit(limit)
    )
    if after:
        query = query.where(User.id > after)
    if search:
        pattern = "%" + search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        query = query.where(or_(User.email.ilike(pattern), User.display_name.ilike(pattern)))
    return [_member(*row) for row in await db.execute(query)]


async def member(db: AsyncSession, user_id: UUID) -> Member:
    row = (
        await db.execute(
            select(User, Membership.role, Membership.suspended_at)
            .join(Membership, Membership.user_id == User.id)
            .where(User.id == user_id)
        )
    ).one_or_none()
    if row is None:
        raise NotFound("No such person.")
    return _member(*row)


def _member(user: User, role: str, suspended_at: datetime | None) -> Member:
    return Member(
        id=user.id,
        email=user.email,
        display_name=user.display_name,
        role=role,
        active=user.activated_at is not None,
        suspended=suspended_at is not None,
        created_at=user.created_at,
    )


async def change_role(db: AsyncSession, person: Person, user_id: UUID, role: str) -> Member:
    """Give someone another role; they sign in anew with it."""
    found = await member(db, user_id)
    await roles.must_hold(db, person, role, found.role)
    if role != Role.ADMIN:
        await keep_in_charge(db, person.organization_id, user_id)
    await db.execute(update(Membership).where(Membership.user_id == user_id).values(role=role))
    held = await roles.permissions_of(db, role)
    await _end_sessions(db, person, user_id, but=person.session_id)
    await inviting.withdraw_sent_by(db, person.organization_id, user_id, by=person, held=held)
    await audit.record(
        db, "user.role_changed", person=person, target=user_id, detail={"role": role}
    )
    return await member(db, user_id)


async def suspend(db: AsyncSession, person: Person, user_id: UUID) -> Member:
    """Keep someone out, at once and until `reactivate`."""
    await roles.must_hold(db, person, (await member(db, user_id)).role)
    await keep_in_charge(db, person.organization_id, user_id)
    await db.execute(
        update(Membership).where(Membership.user_id == user_id).values(suspended_at=now())
    )
    await _end_sessions(db, person, user_id)
    await inviting.withdraw_sent_by(db, person.organization_id, user_id, by=person)
    await audit.record(db, "user.suspended", person=person, target=user_id)
    return await member(db, user_id)


async def reactivate(db: AsyncSession, person: Person, user_id: UUID) -> Member:
    await roles.must_hold(db, person, (await member(db, user_id)).role)
    await db.execute(
        update(Membership).where(Membership.user_id == user_id).values(suspended_at=None)
    )
    await audit.record(db, "user.reactivated", person=person, target=user_id)
    return await member(db, user_id)


async def remove(db: AsyncSession, person: Person, user_id: UUID) -> None:
    """Delete someone's account and all that belongs to it.

    Who also belongs to another organisation keeps the account and leaves this one.
    """
    found = await member(db, user_id)
    await roles.must_hold(db, person, found.role)
    await keep_in_charge(db, person.organization_id, user_id)
    await _end_sessions(db, person, user_id)
    await audit.record(db, "user.removed", person=person, target=user_id)
    await inviting.withdraw(db, found.email)
    await inviting.withdraw_sent_by(db, person.organization_id, user_id, by=person)
    await db.execute(delete(Membership).where(Membership.user_id == user_id))
    async with elevated(db):
        belongs = select(Membership.id).where(Membership.user_id == user_id)
        gone = delete(User).where(User.id == user_id, ~belongs.exists()).returning(User.id)
        if await db.scalar(gone):
            await mail.forget(db, found.email)


async def keep_in_charge(db: AsyncSession, organization_id: UUID, user_id: UUID) -> None:
    """Raise `OwnerStays` for the owner, and `LastAdmin` when nobody else could administer.

    Locks, so that two cannot both leave.
    """
    if await lock_owner(db, organization_id) == user_id:
        raise OwnerStays
    admins = await db.scalars(
        select(Membership.user_id)
        .join(User, User.id == Membership.user_id)
        .where(Membership.role == Role.ADMIN, Membership.suspended_at.is_(None))
        # Who never confirmed the address cannot sign in to administer anything.
        .where(User.activated_at.is_not(None))
        .order_by(Membership.user_id)
        .with_for_update(of=Membership)
    )
    if set(admins.all()) == {user_id}:
        raise LastAdmin("This is the last administrator; make someone else one first.")


async def _end_sessions(
    db: AsyncSession, person: Person, user_id: UUID, but: UUID | None = None
) -> None:
    async with elevated(db):
        await sessions.end_all(db, user_id, organization_id=person.organization_id, but=but)


async def invite(db: AsyncSession, person: Person, email: str, role: str) -> Invitation:
    """Mail an invitation; an earlier open one to the same address is withdrawn."""
    await policies.refuse_address(db, person.organization_id, email)
    await roles.must_hold(db, person, role)
    taken = await db.scalar(
        select(Membership.id)
        .join(User, User.id == Membership.user_id)
        # An address that someone typed and nobody confirmed does not block its owner.
        .where(func.lower(User.email) == email.lower(), User.activated_at.is_not(None))
    )
    if taken:
        raise AlreadyMember
    await take(f"invitation:{person.organization_id}:{email.lower()}", PER_ADDRESS)
    if await inviting.withdraw(db, email):
        await inviting.forget_unconfirmed(db, person.organization_id, email)
    invitation = await inviting.send(
        db,
        person.organization_id,
        email,
        role,
        invited_by=person.user_id,
        inviter=person.display_name,
    )
    await audit.record(db, "invitation.sent", person=person, target=invitation.id)
    return invitation


async def open_invitations(db: AsyncSession) -> Sequence[Invitation]:
    rows = await db.scalars(
        select(Invitation)
        .where(Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))
        .where(Invitation.expires_at > now())
        .order_by(Invitation.id.desc())
    )
    return rows.all()


async def revoke_invitation(db: AsyncSession, person: Person, invitation_id: UUID) -> None:
    email = await db.scalar(
        update(Invitation)
        .where(Invitation.id == invitation_id, Invitation.accepted_at.is_(None))
        .where(Invitation.revoked_at.is_(None))
        .values(revoked_at=now())
        .returning(Invitation.email)
    )
    if email is None:
        raise NotFound("No such open invitation.")
    await inviting.forget_unconfirmed(db, person.organization_id, email)
    await audit.record(db, "invitation.revoked", person=person, target=invitation_id)


# As app_auth: before anyone is signed in ------------------------------------------------------


async def by_email(db: AsyncSession, email: str) -> User | None:
    return (
        await db.scalars(select(User).where(func.lower(User.email) == plain_address(email).lower()))
    ).one_or_none()


async def organization_of(db: AsyncSession, user_id: UUID) -> UUID | None:
    """The organisation whose audit log tells of this person; the oldest membership."""
    found: UUID | None = await db.scalar(
        select(Membership.organization_id)
        .where(Membership.user_id == user_id)
        .order_by(Membership.created_at)
        .limit(1)
    )
    return found


async def the_organization(db: AsyncSession) -> Organization:
    """The one organisation of a product without tenancy; made when it is first needed."""
    project = answers()["project"]
    query = select(Organization).where(Organization.slug == str(project["slug"]))
    if (found := (await db.scalars(query)).one_or_none()) is not None:
        return found
    # A job, a sign-up and what it counts may all be first: one makes it, the others wait and find
    # it. Not all of them come by here (abuse does it in the database), so a lock is not enough.
    await db.execute(
        insert(Organization)
        .values(id=uuid7(), name=str(project["name"]), slug=str(project["slug"]))
        .on_conflict_do_nothing(index_elements=["slug"])
    )
    return (await db.scalars(query)).one()


async def make_admin(db: AsyncSession, user_id: UUID, organization_id: UUID) -> None:
    """Make someone an administrator here, a member first if need be."""
    await db.execute(
        insert(Membership)
        .values(id=uuid7(), organization_id=organization_id, user_id=user_id, role=Role.ADMIN)
        .on_conflict_do_update(
            index_elements=["organization_id", "user_id"], set_={"role": Role.ADMIN}
        )
    )


async def add(
    db: AsyncSession, *, email: str, display_name: str, organization_id: UUID | None, role: str
) -> User:
    """A person who has still to confirm the mail address, perhaps without an organisation yet."""
    user = User(email=email, display_name=display_name)
    db.add(user)
    await db.flush()
    if organization_id:
        await place(db, user.id, organization_id=organization_id, role=role)
    return user


async def place(db: AsyncSession, user_id: UUID, *, organization_id: UUID, role: str) -> None:
    """Where someone belongs who has still to confirm the mail address."""
    moved = await db.scalars(
        update(Membership)
        .where(Membership.user_id == user_id)
        .values(organization_id=organization_id, role=role)
        .returning(Membership.id)
    )
    if not moved.all():
        db.add(Membership(organization_id=organization_id, user_id=user_id, role=role))
        await db.flush()


async def open_invitation(db: AsyncSession, token: str, *, hold: bool = False) -> Invitation:
    """Raises `InvitationExpired`. With `hold` nobody withdraws it until the transaction ends."""
    query = (
        select(Invitation)
        .where(Invitation.token_digest == digest(token))
        .where(Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))
        .where(Invitation.expires_at > now())
    )
    query = query.with_for_update(read=True) if hold else query
    found = (await db.scalars(query)).one_or_none()
    if found is None:
        raise InvitationExpired
    return found


async def accept_invitations(db: AsyncSession, email: str, organization_id: UUID) -> None:
    """Whoever confirmed the address has taken up what this organisation sent to it."""
    await db.execute(
        update(Invitation)
        .where(func.lower(Invitation.email) == email.lower(), Invitation.accepted_at.is_(None))
        .where(Invitation.revoked_at.is_(None), Invitation.expires_at > now())
        .where(Invitation.organization_id == organization_id)
        .values(accepted_at=now())
    )
