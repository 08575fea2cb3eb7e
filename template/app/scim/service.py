"""The members of an organisation as its directory sees and changes them.

Every function works in a transaction that is bound to the token's organisation; row-level security
shows it no other. Accounts are not the organisation's alone: a directory decides about membership,
and about name and address only where it made the account.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import service as sessions
from app.access.roles import Role
from app.audit import service as audit
from app.auth import links, second_factors, ways_in
from app.core.clock import now
from app.core.db import elevated
from app.core.errors import NotFound
from app.core.ids import uuid7
from app.scim import asking, attributes, filters, patch, probing
from app.scim.errors import BadRequest, NotUnique
from app.scim.models import ScimUser
from app.users import inviting
from app.users import service as users
from app.users.models import Membership, User
from app.users.schemas import plain_address

NOBODY = UUID(int=0)


@dataclass(frozen=True)
class Resource:
    id: UUID
    """What the directory knows it by."""
    document: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    user_id: UUID = NOBODY
    """Of a person: the account."""


@dataclass(frozen=True)
class Page:
    resources: Sequence[Resource]
    total: int


IS_ASKED = ScimUser.asked_at_address.is_not(None)
# Whoever was asked keeps an id of this organisation's own: that of the account stays unknown here.
person_id = case((IS_ASKED, ScimUser.id), else_=Membership.user_id)


def _members() -> Any:
    return (
        select(person_id, User, Membership, ScimUser)
        .select_from(Membership)
        .join(ScimUser, ScimUser.user_id == Membership.user_id, full=True)
        # The account of somebody who is no member is not to be seen here.
        .outerjoin(User, User.id == Membership.user_id)
        .where(ScimUser.deleted_at.is_(None))
        .where(User.activated_at.is_not(None) | Membership.id.is_(None) & IS_ASKED)
        # Rows are also written by statements that the session does not see.
        .execution_options(populate_existing=True)
    )


def _resource(row: Any) -> Resource:
    identity, user, membership, known = row
    if known is None:
        # A member whom the directory did not write about yet; it finds and adopts them so.
        document: dict[str, Any] = {
            "userName": user.email,
            "displayName": user.display_name,
            "emails": [{"value": user.email, "primary": True}],
        }
        updated_at = membership.created_at
    else:
        document, updated_at = dict(known.document), known.updated_at
    active = membership is not None and membership.suspended_at is None
    created_at = (membership or known).created_at
    account = (membership or known).user_id
    return Resource(identity, document | {"active": active}, created_at, updated_at, account)


async def get(db: AsyncSession, identity: UUID) -> Resource:
    return await _one(db, person_id == identity)


async def _of_account(db: AsyncSession, user_id: UUID) -> Resource:
    return await _one(db, or_(Membership.user_id == user_id, ScimUser.user_id == user_id))


async def _one(db: AsyncSession, which: Any) -> Resource:
    row = (await db.execute(_members().where(which))).one_or_none()
    if row is None:
        raise NotFound("No such user.")
    return _resource(row)


async def identities(db: AsyncSession, wanted: Collection[UUID]) -> set[UUID]:
    """Those that are known to the directory."""
    found = _members().with_only_columns(person_id).where(person_id.in_(wanted))
    return set(await db.scalars(found))


async def search(db: AsyncSession, expression: str | None, start: int, count: int) -> Page:
    """`start` counts from 1. Raises `BadRequest` for a filter that is not supported."""
    query = _members()
    if expression:
        name, value = filters.read(attributes.USER, expression)
        query = query.where(_fits(name, value))
    total = await db.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = await db.execute(query.order_by(person_id).offset(start - 1).limit(count))
    return Page([_resource(row) for row in rows], total)


def _fits(name: str, value: str) -> Any:
    match name:
        case "userName":
            named = func.lower(func.coalesce(ScimUser.user_name, User.email))
            return named == value.lower()
        case "emails.value":
            listed = ScimUser.document.contains({"emails": [{"value": value}]})
            return or_(func.lower(User.email) == value.lower(), listed)
        case "externalId":
            return ScimUser.document["externalId"].astext == value
        case "id":
            return person_id == filters.identifier(value)
    raise BadRequest("invalidFilter", f"Users are not found by {name}.")


async def create(db: AsyncSession, organization_id: UUID, given: Mapping[str, Any]) -> Resource:
    """A member, with an account where there is none. Raises `NotUnique`."""
    document = attributes.clean(attributes.USER, given)
    email = _address(document)
    await probing.must_be_left(organization_id)
    # As signing up has it: two at once would make two accounts.
    await db.execute(select(func.pg_advisory_xact_lock(8081, func.hashtext(email.lower()))))
    async with elevated(db):
        user = await users.by_email(db, email)
        if user is None:
            user = await users.add(
                db,
                email=email,
                display_name=_name(document),
                organization_id=organization_id,
                role=Role.MEMBER,
            )
            user.activated_at = now()
            made_here, is_asked = True, False
        else:
            is_asked = await _may_take(db, organization_id, user)
            made_here = False
            if user.activated_at is None:
                # What somebody prepared with this address does not count.
                await links.end_all(db, user.id, "activate")
                user.activated_at, user.display_name, made_here = now(), _name(document), True
    known = await db.scalar(select(ScimUser).where(ScimUser.user_id == user.id))
    if known is None and not made_here and not is_asked:
        raise NotUnique("There is a member with this address already.")
    if known is not None and known.deleted_at is None:
        raise NotUnique("There is a user with this address already.")
    active = document.pop("active")
    await _write(
        db, organization_id, user.id, document, made_here=made_here, asked=email * is_asked
    )
    await _set_active(db, organization_id, user.id, active)
    await _record(db, organization_id, "scim.user_created", user.id)
    return await _of_account(db, user.id)


async def _may_take(db: AsyncSession, organization_id: UUID, user: User) -> bool:
    """Whether an account belongs elsewhere, and its owner is asked by an invitation."""
    belongs = set(
        await db.scalars(select(Membership.organization_id).where(Membership.user_id == user.id))
    )
    if belongs == {organization_id}:
        return False
    confirmed = user.activated_at is not None
    if organization_id in belongs and confirmed:
        return False
    await probing.count(organization_id, user.email, refused=not (confirmed and asking.CAN_JOIN))
    if confirmed and asking.CAN_JOIN:
        return True
    raise NotUnique("This address belongs to an account already; invite the person instead.")


async def replace(
    db: AsyncSession, organization_id: UUID, identity: UUID, given: Mapping[str, Any]
) -> Resource:
    user_id = (await get(db, identity)).user_id
    return await _change(db, organization_id, user_id, attributes.clean(attributes.USER, given))


async def modify(
    db: AsyncSession, organization_id: UUID, identity: UUID, body: Mapping[str, Any]
) -> Resource:
    before = await get(db, identity)
    document = patch.apply(attributes.USER, before.document, body)
    return await _change(db, organization_id, before.user_id, document)


async def _change(
    db: AsyncSession, organization_id: UUID, user_id: UUID, document: dict[str, Any]
) -> Resource:
    email = _address(document)
    active = document.pop("active")
    await _write(db, organization_id, user_id, document)
    made_here = await db.scalar(select(ScimUser.made_here).where(ScimUser.user_id == user_id))
    if made_here:
        await _write_account(db, organization_id, user_id, email, _name(document))
    await _set_active(db, organization_id, user_id, active)
    await _record(db, organization_id, "scim.user_changed", user_id)
    return await _of_account(db, user_id)


async def _write(
    db: AsyncSession,
    organization_id: UUID,
    user_id: UUID,
    document: dict[str, Any],
    *,
    made_here: bool = False,
    asked: str = "",
) -> None:
    name = document["userName"]
    taken = select(ScimUser.id).where(
        func.lower(ScimUser.user_name) == name.lower(), ScimUser.user_id != user_id
    )
    if len(name) > 254 or await db.scalar(taken):
        raise NotUnique("There is a user with this userName already.")
    values = {"user_name": name, "document": document, "updated_at": now(), "deleted_at": None}
    if asked:
        values |= {"asked_at_address": asked, "invitation_id": None}
    await db.execute(
        insert(ScimUser)
        .values(
            id=uuid7(),
            organization_id=organization_id,
            user_id=user_id,
            made_here=made_here,
            **values,
        )
        .on_conflict_do_update(index_elements=["organization_id", "user_id"], set_=values)
    )


async def _write_account(
    db: AsyncSession, organization_id: UUID, user_id: UUID, email: str, name: str
) -> None:
    """Name and address of an account that the directory made and that is in no other hands."""
    async with elevated(db):
        user = await db.get_one(User, user_id)
        # Nobody enters by the address of before at this moment, by a provider or a new password.
        await db.execute(
            select(func.pg_advisory_xact_lock(8081, func.hashtext(user.email.lower())))
        )
        await second_factors.one_at_a_time(db, user_id)
        belongs = select(Membership.organization_id, Membership.role)
        rows = (await db.execute(belongs.where(Membership.user_id == user_id))).all()
        if {row.organization_id for row in rows} != {organization_id}:
            return
        user.display_name = name
        # Another address hands an account over by "Forgot your password?": never one that somebody
        # has entered, nor one with more rights than a directory gives.
        is_open = not await ways_in.exist(db, user_id) and rows[0].role == Role.MEMBER
        if email.lower() != user.email.lower() and is_open:
            await probing.must_be_left(organization_id)
            if await users.by_email(db, email):
                await probing.count(organization_id, email)
                raise NotUnique("There is an account with this address already.")
            user.email = email
            # Nor by a link that was mailed there before.
            await links.end_all(db, user_id, "reset")


async def _set_active(db: AsyncSession, organization_id: UUID, user_id: UUID, active: bool) -> None:
    """Let someone in, or keep them out and end their sessions at once."""
    membership = (
        await db.execute(select(Membership.suspended_at).where(Membership.user_id == user_id))
    ).one_or_none()
    if membership is None:
        await asking.follow(db, organization_id, user_id, active=active)
        return
    [suspended_at] = membership
    if (suspended_at is None) == active:
        return
    if not active:
        await users.keep_in_charge(db, organization_id, user_id)
    await db.execute(
        update(Membership)
        .where(Membership.user_id == user_id)
        .values(suspended_at=None if active else now())
    )
    if not active:
        async with elevated(db):
            await sessions.end_all(db, user_id, organization_id=organization_id)
        await inviting.withdraw_sent_by(db, organization_id, user_id)
    action = "user.reactivated" if active else "user.suspended"
    await _record(db, organization_id, action, user_id)


async def delete(db: AsyncSession, organization_id: UUID, identity: UUID) -> None:
    """Out of the directory: suspended at once. What the person made stays until it is removed."""
    found = await get(db, identity)
    user_id, document = found.user_id, dict(found.document)
    document.pop("active")
    await _write(db, organization_id, user_id, document)
    await _set_active(db, organization_id, user_id, False)
    await db.execute(
        update(ScimUser)
        .where(ScimUser.user_id == user_id)
        # The name is free for somebody else.
        .values(deleted_at=now(), user_name=str(user_id))
    )
    await _record(db, organization_id, "scim.user_deleted", user_id)


async def _record(db: AsyncSession, organization_id: UUID, action: str, target: UUID) -> None:
    await audit.record(
        db, action, organization_id=organization_id, target=target, detail={"by": "scim"}
    )


def _address(document: Mapping[str, Any]) -> str:
    emails = document["emails"]
    chosen = next((one for one in emails if one.get("primary")), emails[0])
    try:
        found = validate_email(chosen.get("value", ""), check_deliverability=False).normalized
        found = plain_address(found)
    except EmailNotValidError as error:
        raise BadRequest("invalidValue", "emails holds no mail address.") from error
    if len(found) > 254:
        raise BadRequest("invalidValue", "The mail address is too long.")
    return found


def _name(document: Mapping[str, Any]) -> str:
    name = document.get("name", {})
    parts = " ".join(filter(None, (name.get("givenName"), name.get("familyName"))))
    chosen = document.get("displayName") or name.get("formatted") or parts or document["userName"]
    printable = "".join(letter for letter in " ".join(chosen.split()) if letter.isprintable())
    return printable[:120] or "New member"
