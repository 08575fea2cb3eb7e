"""What only the owner does: hand the organisation on, or delete it with all that is in it."""

from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.access.roles import Role, granted
from app.audit import service as audit
from app.core.db import elevated
from app.core.errors import Conflict, Forbidden, Invalid
from app.mail import links
from app.mail import service as mail
from app.organizations import service
from app.organizations.service import Entry
from app.users import entrance
from app.users.founding import lock_owner
from app.users.models import Membership, Organization, User


class NotTheOwner(Forbidden):
    pass


class CannotOwn(Conflict):
    pass


class NameMistyped(Invalid):
    def __init__(self) -> None:
        detail = "This is not the name of the organisation."
        super().__init__(detail, errors={"name": detail})


async def owner(db: AsyncSession, person: Person) -> UUID | None:
    """Who owns the current organisation."""
    query = select(Organization.owner_id).where(Organization.id == person.organization_id)
    found: UUID | None = await db.scalar(query)
    return found


async def transfer(db: AsyncSession, person: Person, user_id: UUID) -> None:
    """Make a member the owner, and an administrator.

    Where nobody owns it, any administrator may name the owner. Raises `NotTheOwner`, `CannotOwn`.
    """
    async with elevated(db):
        before = await lock_owner(db, person.organization_id)
        if before not in {None, person.user_id}:
            raise NotTheOwner("Only the owner hands the organisation on.")
        # It makes an administrator of the heir: nobody gets there by a smaller role of their own.
        if before is None and not person.permissions >= granted(Role.ADMIN):
            raise NotTheOwner("Only an administrator names the owner where there is none.")
        heir = (
            await db.execute(
                select(User, Membership)
                .join(Membership, Membership.user_id == User.id)
                .where(
                    User.id == user_id,
                    User.activated_at.is_not(None),
                    Membership.organization_id == person.organization_id,
                    Membership.suspended_at.is_(None),
                )
                .with_for_update(of=Membership)
            )
        ).one_or_none()
        if heir is None:
            raise CannotOwn("Only an active member can be the owner.")
        user, membership = heir
        membership.role = Role.ADMIN
        await db.execute(
            update(Organization)
            .where(Organization.id == person.organization_id)
            .values(owner_id=user_id)
        )
        await audit.record(db, "organization.owner_changed", person=person, target=user_id)
        for address in {user.email, person.email}:
            await mail.send(
                db,
                address,
                "organizations/owner_changed",
                organization=person.organization_name,
                owner=user.display_name,
                link=links.to("/organizations", api="/api/organizations"),
            )


async def remove(db: AsyncSession, person: Person, name: str) -> Entry | None:
    """Delete the current organisation and all that it holds.

    Members who belong nowhere else lose their accounts with it; everybody is told by mail. Gives
    the session in another organisation, or None. Raises `NotTheOwner` or `NameMistyped`.
    """
    async with elevated(db):
        if await lock_owner(db, person.organization_id) != person.user_id:
            raise NotTheOwner("Only the owner deletes the organisation.")
        if name.strip() != person.organization_name:
            raise NameMistyped
        here = Membership.organization_id == person.organization_id
        members = (
            await db.scalars(
                select(User).join(Membership, Membership.user_id == User.id).where(here)
            )
        ).all()
        entry = await _go_elsewhere(db, person)
        # What is written from here on belongs to no organisation, or it would go with it.
        await db.execute(text("SELECT set_config('app.organization_id', '', true)"))
        await db.execute(delete(Organization).where(Organization.id == person.organization_id))
        belongs = select(Membership.id).where(Membership.user_id == User.id)
        gone = (
            await db.scalars(
                delete(User)
                .where(User.id.in_([one.id for one in members]), ~belongs.exists())
                .returning(User.id)
            )
        ).all()
        for one in members:
            if one.id in gone:
                await mail.forget(db, one.email)
            if one.activated_at is not None:
                await mail.send(
                    db,
                    one.email,
                    "organizations/deleted",
                    name=one.display_name,
                    organization=person.organization_name,
                    account_gone=one.id in gone,
                )
        await audit.record(
            db,
            "organization.deleted",
            user_id=person.user_id,
            target=person.organization_id,
            detail={"members": len(members), "accounts": len(gone)},
        )
    return entry


async def _go_elsewhere(db: AsyncSession, person: Person) -> Entry | None:
    for one in await service.mine(db, person):
        if one.current or one.suspended:
            continue
        try:
            return await service.switch(db, person, one.id)
        except (service.SignInAnotherWay, entrance.AccountSuspended):
            continue
    return None


async def member_by_email(db: AsyncSession, email: str) -> UUID:
    """A member of the current organisation. Raises `CannotOwn`."""
    found: UUID | None = await db.scalar(
        select(User.id)
        .join(Membership, Membership.user_id == User.id)
        .where(func.lower(User.email) == email.lower())
    )
    if found is None:
        raise CannotOwn("Only an active member can be the owner.")
    return found
