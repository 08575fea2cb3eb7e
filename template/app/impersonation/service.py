"""Begin and end it. The session itself is opened, and kept within bounds, by app.access."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import service as sessions
from app.access.models import Session
from app.access.person import Person, may_administer
from app.audit import service as audit
from app.core.clock import now
from app.core.db import elevated, transaction
from app.core.errors import Conflict, Forbidden, Invalid, Unauthorized
from app.impersonation.ending import settle
from app.impersonation.models import Impersonation
from app.impersonation.settings import ImpersonationSettings
from app.users import policies, roles
from app.users import service as users
from app.users.models import User


class NotAllowedHere(Forbidden):
    """The organisation's policy says that nobody works as someone else."""


class NotAsThem(Forbidden):
    pass


class NotAsYourself(Conflict):
    pass


class CannotSignIn(Conflict):
    pass


class AlreadyImpersonating(Conflict):
    pass


class OwnSessionEnded(Unauthorized):
    pass


@dataclass(frozen=True)
class Begun:
    token: str = field(repr=False)
    ends_at: datetime


@dataclass(frozen=True)
class Told:
    """One that was or is, as the person sees it."""

    administrator: str
    reason: str
    began_at: datetime
    ended_at: datetime | None


async def start(
    db: AsyncSession, person: Person, user_id: UUID, reason: str, minutes: int | None = None
) -> Begun:
    """A session as someone else, beside one's own. Of many at once exactly one begins.

    Raises `NotAllowedHere`, `NotFound`, `NotAsYourself`, `CannotSignIn`, `NotAsThem`,
    `BeyondYourOwn`, `AlreadyImpersonating` or `OwnSessionEnded`.
    """
    minutes = _within(minutes)
    await _may_be(db, person, user_id)
    async with elevated(db):
        # One at a time for each administrator: others wait here.
        await db.execute(select(User.id).where(User.id == person.user_id).with_for_update())
        await settle(db, administrator_id=person.user_id)
        if await db.scalar(_running(person.user_id)):
            raise AlreadyImpersonating("You work as someone already; end that first.")
        own = await db.scalar(
            select(Session).where(Session.id == person.session_id, Session.revoked_at.is_(None))
        )
        if own is None:
            raise OwnSessionEnded
        token, session_id = await sessions.start(
            db,
            user_id=user_id,
            organization_id=person.organization_id,
            level="full",
            method=own.method,
            second_factor=own.second_factor,
            factor=own.factor,
            address=own.address,
            user_agent=own.user_agent,
        )
        ends_at = now() + timedelta(minutes=minutes)
        await db.execute(
            update(Session)
            .where(Session.id == session_id)
            .values(impersonator_session_id=own.id, expires_at=ends_at)
        )
        made = Impersonation(
            organization_id=person.organization_id,
            administrator_id=person.user_id,
            user_id=user_id,
            session_id=session_id,
            reason=reason,
            expires_at=ends_at,
        )
        db.add(made)
    await audit.record(
        db,
        "impersonation.started",
        person=person,
        on_behalf_of=user_id,
        target=made.id,
        detail={"minutes": minutes, "session": str(session_id)},
    )
    return Begun(token, ends_at)


def _within(minutes: int | None) -> int:
    settings = ImpersonationSettings.load()
    if minutes is not None and minutes > settings.longest_minutes:
        detail = f"{settings.longest_minutes} minutes at most."
        raise Invalid(detail, errors={"minutes": detail})
    return settings.minutes if minutes is None else minutes


async def _may_be(db: AsyncSession, person: Person, user_id: UUID) -> None:
    if not (await policies.read(db)).impersonation:
        raise NotAllowedHere("Your organisation does not allow it.")
    member = await users.member(db, user_id)
    if user_id == person.user_id:
        raise NotAsYourself("This is you.")
    if not member.active or member.suspended:
        raise CannotSignIn("This person cannot sign in at the moment, so nobody can as them.")
    held = await roles.permissions_of(db, member.role)
    if may_administer(held):
        raise NotAsThem("Nobody works as someone who administers, too.")
    await roles.must_hold(db, person, member.role)


def _running(administrator_id: UUID) -> Select[UUID]:
    return select(Impersonation.id).where(
        Impersonation.administrator_id == administrator_id, Impersonation.ended_at.is_(None)
    )


async def end(person: Person) -> None:
    """End what this person, as whom an administrator works, or this administrator has running."""
    behind = person.impersonation
    administrator_id = behind.user_id if behind else person.user_id
    async with transaction(elevated=True) as db:
        running = select(Impersonation.session_id).where(
            Impersonation.administrator_id == administrator_id, Impersonation.ended_at.is_(None)
        )
        await db.execute(
            update(Session)
            .where(Session.id.in_(running), Session.revoked_at.is_(None))
            .values(revoked_at=now())
        )
        await settle(db, administrator_id=administrator_id)


async def of_person(user_id: UUID, *, limit: int = 20) -> Sequence[Told]:
    """When administrators worked as this person, in any of their organisations, newest first."""
    query = (
        select(Impersonation, User.display_name)
        .outerjoin(User, User.id == Impersonation.administrator_id)
        .where(Impersonation.user_id == user_id)
        .order_by(Impersonation.id.desc())
        .limit(limit)
    )
    async with transaction(elevated=True) as db:
        return [
            Told(name or "An administrator", one.reason, one.created_at, one.ended_at)
            for one, name in await db.execute(query)
        ]
