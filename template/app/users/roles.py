"""Roles: the built-in ones and those that an organisation makes for itself.

Nobody grants more than they hold: not by making or changing a role, not by giving one to someone.
Nor does anyone touch a role, or a person, that holds more than they do.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.access.roles import Role, always, custom, granted, known
from app.audit import service as audit
from app.core.clock import now
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.ids import uuid7
from app.users.models import CustomRole, Invitation, Membership

BUILT_IN = {
    Role.MEMBER: ("Member", "Uses the product."),
    Role.REVIEWER: ("Reviewer", "A member who is trusted to check answers."),
    Role.ADMIN: ("Administrator", "Also manages people and limits, and reads the audit log."),
}


class BeyondYourOwn(Forbidden):
    """More than the person who asks holds."""


class UnknownPermission(Invalid):
    def __init__(self) -> None:
        detail = "There is no such permission."
        super().__init__(detail, errors={"permissions": detail})


class RoleNameTaken(Conflict):
    def __init__(self) -> None:
        detail = "There is a role of this name already."
        super().__init__(detail, errors={"name": detail})


class RoleInUse(Conflict):
    pass


@dataclass(frozen=True)
class RoleInfo:
    id: str
    name: str
    description: str
    permissions: Sequence[str]
    unknown: Sequence[str]
    """Permissions of modules that are not there; they count for nothing."""
    built_in: bool
    members: int


def offered(person: Person) -> list[str]:
    """The permissions that this person can put into a role."""
    return sorted((known() & person.permissions) - always())


async def everything(db: AsyncSession) -> list[RoleInfo]:
    """All roles of the organisation with the number of people who have them."""
    counted = select(Membership.role, func.count().label("number")).group_by(Membership.role)
    members = {row.role: row.number for row in await db.execute(counted)}
    rows = await db.scalars(select(CustomRole).order_by(func.lower(CustomRole.name)))
    built_in = [
        RoleInfo(role, *texts, sorted(granted(role)), [], True, members.get(role, 0))
        for role, texts in BUILT_IN.items()
    ]
    return built_in + [_info(row, members.get(str(row.id), 0)) for row in rows]


def _info(row: CustomRole, members: int) -> RoleInfo:
    return RoleInfo(
        id=str(row.id),
        name=row.name,
        description=row.description,
        permissions=sorted(custom(row.permissions)),
        unknown=sorted(set(row.permissions) - known()),
        built_in=False,
        members=members,
    )


async def choices(db: AsyncSession, person: Person) -> list[tuple[str, str, str]]:
    """The roles that this person can give: id, name and description, as a form offers them."""
    return [
        (one.id, one.name, one.description)
        for one in await everything(db)
        if person.permissions.issuperset(one.permissions)
    ]


async def names(db: AsyncSession) -> dict[str, str]:
    """What each role of the organisation is called, by what stands in a membership."""
    rows = await db.execute(select(CustomRole.id, CustomRole.name))
    built_in = {str(role): name for role, (name, _) in BUILT_IN.items()}
    return built_in | {str(row.id): row.name for row in rows}


async def find(db: AsyncSession, role_id: UUID) -> RoleInfo:
    """One custom role. Raises `NotFound`."""
    members = select(func.count()).select_from(Membership).where(Membership.role_id == role_id)
    return _info(await _row(db, role_id), await db.scalar(members) or 0)


async def _row(db: AsyncSession, role_id: UUID, *, lock: bool = False) -> CustomRole:
    row = await db.get(CustomRole, role_id, with_for_update=lock)
    if row is None:
        raise NotFound("No such role.")
    return row


async def permissions_of(db: AsyncSession, role: str) -> frozenset[str]:
    """What a role of this organisation may do; a custom one stays until the transaction ends.

    Raises `NotFound`.
    """
    if role in BUILT_IN:
        return granted(role)
    try:
        role_id = UUID(role)
    except ValueError:
        raise NotFound("No such role.") from None
    query = select(CustomRole.permissions).where(CustomRole.id == role_id)
    found = await db.scalar(query.with_for_update(key_share=True, read=True))
    if found is None:
        raise NotFound("No such role.")
    return custom(found)


async def must_hold(db: AsyncSession, person: Person, *roles: str) -> None:
    """Raise `BeyondYourOwn` unless the person may do all that these roles may."""
    for role in roles:
        _must_hold(person, await permissions_of(db, role))


def _must_hold(person: Person, permissions: Collection[str]) -> None:
    if beyond := sorted(set(permissions) - person.permissions):
        raise BeyondYourOwn(f"This takes what you may not do yourself: {', '.join(beyond)}.")


async def create(
    db: AsyncSession, person: Person, name: str, description: str, permissions: Collection[str]
) -> RoleInfo:
    _check(person, permissions)
    made = await db.scalar(
        insert(CustomRole)
        .values(
            id=uuid7(),
            organization_id=person.organization_id,
            name=name,
            description=description,
            permissions=sorted(set(permissions)),
        )
        .on_conflict_do_nothing()
        .returning(CustomRole)
    )
    if made is None:
        raise RoleNameTaken
    await _record(db, "role.created", person, made)
    return _info(made, 0)


async def change(
    db: AsyncSession,
    person: Person,
    role_id: UUID,
    name: str,
    description: str,
    permissions: Collection[str],
) -> RoleInfo:
    """Counts at once for everyone who has the role."""
    row = await _row(db, role_id, lock=True)
    _must_hold(person, custom(row.permissions))
    # What a module that is not there left behind may stay; nobody can add to it.
    _check(person, set(permissions) - (set(row.permissions) - known()))
    try:
        async with db.begin_nested():
            row.name, row.description, row.permissions = name, description, sorted(set(permissions))
            await db.flush()
    except IntegrityError as error:
        raise RoleNameTaken from error
    await _record(db, "role.changed", person, row)
    return await find(db, role_id)


async def delete(db: AsyncSession, person: Person, role_id: UUID) -> None:
    """Raises `RoleInUse` while someone has the role or is invited to it."""
    row = await _row(db, role_id, lock=True)
    _must_hold(person, custom(row.permissions))
    open_invitation = (
        select(Invitation.id)
        .where(Invitation.role == str(role_id), Invitation.accepted_at.is_(None))
        .where(Invitation.revoked_at.is_(None), Invitation.expires_at > now())
    )
    member = select(Membership.id).where(Membership.role_id == role_id)
    if await db.scalar(select(or_(open_invitation.exists(), member.exists()))):
        raise RoleInUse("People have this role or are invited to it; give them another one first.")
    await db.delete(row)
    await db.flush()
    await audit.record(db, "role.deleted", person=person, target=role_id)


def _check(person: Person, permissions: Collection[str]) -> None:
    if not known().issuperset(permissions):
        raise UnknownPermission
    _must_hold(person, permissions)


async def _record(db: AsyncSession, action: str, person: Person, role: CustomRole) -> None:
    detail = {"permissions": role.permissions}
    await audit.record(db, action, person=person, target=role.id, detail=detail)
