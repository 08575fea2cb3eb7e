"""One's organisations. Everything here looks beyond the current one, so it works as app_auth."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import service as sessions
from app.access.models import Session
from app.access.person import Person
from app.audit import service as audit
from app.core.db import elevated
from app.core.errors import Conflict, Forbidden, NotFound
from app.limits.service import Rate, take
from app.organizations.settings import OrganizationsSettings
from app.users import entrance, founding, inviting, policies
from app.users import service as users
from app.users.models import Membership, Organization, OrganizationPolicy, User
from app.users.schemas import domain_of

MONTH = 30 * 86_400


class TooManyOrganizations(Conflict):
    pass


class OnlyOrganization(Conflict):
    pass


class SignInAnotherWay(Forbidden):
    """The organisation lets nobody in by the way in which this session began."""


@dataclass(frozen=True)
class Mine:
    """An organisation that someone belongs to, and what they are in it."""

    id: UUID
    name: str
    slug: str
    role: str
    owned: bool
    suspended: bool
    current: bool


@dataclass(frozen=True)
class Entry:
    """A session that moved: its new token."""

    organization_id: UUID
    name: str
    token: str


async def mine(db: AsyncSession, person: Person) -> Sequence[Mine]:
    """Where someone belongs, by name."""
    query = (
        select(Organization, Membership.role, Membership.suspended_at)
        .join(Membership, Membership.organization_id == Organization.id)
        .where(Membership.user_id == person.user_id)
        .order_by(func.lower(Organization.name), Organization.id)
    )
    async with elevated(db):
        rows = (await db.execute(query)).all()
    return [
        Mine(
            id=one.id,
            name=one.name,
            slug=one.slug,
            role=role,
            owned=one.owner_id == person.user_id,
            suspended=suspended_at is not None,
            current=one.id == person.organization_id,
        )
        for one, role, suspended_at in rows
    ]


async def create(db: AsyncSession, person: Person, name: str, slug: str | None) -> Entry:
    """Make an organisation, own it and go there.

    Raises `TooManyOrganizations`, `RateLimited` or `founding.SlugTaken`.
    """
    most = OrganizationsSettings.load().owned_per_person
    async with elevated(db):
        # One at a time for each person: two at once would both be within the limit.
        await db.execute(select(User.id).where(User.id == person.user_id).with_for_update())
        owned = select(func.count()).where(Organization.owner_id == person.user_id)
        if (await db.scalar(owned) or 0) >= most:
            raise TooManyOrganizations(f"One person may own {most} organisations.")
        made = await founding.found(db, name=name, owner_id=person.user_id, slug=slug or "")
        # Whoever deletes one gets its place back, but budgets that begin anew only so often.
        await take(f"organizations.made:{person.user_id}", Rate(2 * most, MONTH, strict=True))
    return await switch(db, person, made.id)


async def switch(db: AsyncSession, person: Person, organization_id: UUID) -> Entry:
    """Let the session work for another of one's organisations, with a new token.

    It does not live longer for it, and the proof of identity is as old as it was. Raises
    `NotFound`, `AccountSuspended` or `SignInAnotherWay`.
    """
    async with elevated(db):
        method = await _method(db, person)
        found = await entrance.find(
            db, person.user_id, method=method, organization_id=organization_id
        )
        if found is None:
            raise NotFound("No such organisation.")
        if not found.suspended and not found.allowed:
            raise SignInAnotherWay(await _ways(db, person, organization_id))
        return await _move(db, person, found.enter())


async def leave(db: AsyncSession, person: Person) -> Entry | None:
    """Leave the current organisation; the session goes on in another that lets it in.

    Gives None when none does and the session has ended. Raises `OwnerStays`, `LastAdmin` or
    `OnlyOrganization`.
    """
    await users.keep_in_charge(db, person.organization_id, person.user_id)
    await inviting.withdraw_sent_by(db, person.organization_id, person.user_id, by=person)
    async with elevated(db):
        elsewhere = select(func.count()).where(
            Membership.user_id == person.user_id,
            Membership.organization_id != person.organization_id,
        )
        if not await db.scalar(elsewhere):
            raise OnlyOrganization(
                "This is your only organisation; without one you could not sign in any more."
            )
        method = await _method(db, person)
        await db.execute(
            delete(Membership).where(
                Membership.user_id == person.user_id,
                Membership.organization_id == person.organization_id,
            )
        )
        await sessions.end_all(
            db, person.user_id, organization_id=person.organization_id, but=person.session_id
        )
        await audit.record(db, "user.left", person=person, target=person.user_id)
        found = await entrance.find(db, person.user_id, method=method)
        if found is None or found.suspended or not found.allowed:
            await sessions.end(db, person.user_id, person.session_id)
            return None
        return await _move(db, person, found.organization_id)


async def _move(db: AsyncSession, person: Person, organization_id: UUID) -> Entry:
    token, session_id = await sessions.rotate(
        db, person, proved=False, organization_id=organization_id
    )
    # Each chain tells of its own session, and neither names the other organisation.
    await audit.record(db, "session.ended", person=person, target=person.session_id)
    await audit.record(
        db,
        "session.started",
        organization_id=organization_id,
        user_id=person.user_id,
        target=session_id,
        detail={"switched": True},
    )
    name = await db.scalar(select(Organization.name).where(Organization.id == organization_id))
    return Entry(organization_id, name or "", token)


async def _method(db: AsyncSession, person: Person) -> str:
    method = await db.scalar(select(Session.method).where(Session.id == person.session_id))
    if method is None:
        raise NotFound("This session has ended.")
    return method


async def _ways(db: AsyncSession, person: Person, organization_id: UUID) -> str:
    """What someone has to do to get in."""
    policy = await db.scalar(
        select(OrganizationPolicy).where(OrganizationPolicy.organization_id == organization_id)
    )
    domains = (policy.mail_domains if policy else None) or []
    if domains and domain_of(person.email) not in domains:
        return "That organisation has members at other mail domains only."
    known = policies.sign_in_methods()
    open_ways = [known.get(one, one) for one in (policy.sign_in_methods if policy else None) or []]
    return f"That organisation asks you to sign in anew, with: {', '.join(open_ways)}."
