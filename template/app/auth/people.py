"""What administrators do about the sign-ins of others. Everything within their organisation."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import service as sessions
from app.access.models import Session
from app.access.person import Person
from app.audit import service as audit
from app.auth import second_factors
from app.auth.settings import public_url
from app.core.db import elevated, transaction
from app.core.errors import Conflict, NotFound
from app.mail import service as mail
from app.users import roles
from app.users import service as users
from app.users.models import Membership


class NotForYourself(Conflict):
    pass


class BelongsElsewhere(Conflict):
    pass


@dataclass(frozen=True)
class SignIns:
    second_factors: list[str]
    sessions: Sequence[Session]


async def read(db: AsyncSession, organization_id: UUID, user_id: UUID) -> SignIns:
    """How a member is protected and where they are signed in. Raises `NotFound`."""
    await users.member(db, user_id)
    async with elevated(db):
        return SignIns(
            await second_factors.kinds(db, user_id),
            await sessions.of_person(db, user_id, organization_id=organization_id),
        )


async def end_sessions(db: AsyncSession, person: Person, user_id: UUID) -> int:
    """Sign a member out everywhere in this organisation; how many sessions ended."""
    member = await users.member(db, user_id)
    await roles.must_hold(db, person, member.role)
    async with elevated(db):
        ended = await sessions.end_all(
            db, user_id, organization_id=person.organization_id, but=person.session_id
        )
    await audit.record(db, "session.all_revoked", person=person, target=user_id)
    return ended


async def end_everyone(db: AsyncSession, person: Person) -> int:
    """Sign everyone out of this organisation but the session that asks for it."""
    async with elevated(db):
        ended = await sessions.end_organization(db, person.organization_id, but=person.session_id)
    await audit.record(db, "session.everyone_revoked", person=person, detail={"ended": ended})
    return ended


async def reset_second_factors(db: AsyncSession, person: Person, user_id: UUID) -> list[str]:
    """For who lost them: the password alone opens the account until a new one is set up.

    Ends their sessions and tells them by mail. Gives the kinds that were taken away.
    """
    if user_id == person.user_id:
        raise NotForYourself("Remove your own on the page Security.")
    member = await users.member(db, user_id)
    await roles.must_hold(db, person, member.role)
    async with elevated(db):
        # An account is one, whichever organisation asks: none weakens it for another.
        elsewhere = select(func.count()).where(
            Membership.user_id == user_id, Membership.organization_id != person.organization_id
        )
        if await db.scalar(elsewhere):
            raise BelongsElsewhere(
                "This person belongs to another organisation, too; you cannot weaken the account."
            )
        found = await _take_away(
            db, user_id, member.email, member.display_name, by=person.display_name
        )
    await audit.record(
        db, "second_factor.reset", person=person, target=user_id, detail={"kinds": found}
    )
    return found


async def reset_by_operator(email: str) -> list[str]:
    """The same from the server's command line: for who belongs to several organisations, too.

    Every organisation's log tells of it. Raises `NotFound` or `NotEnrolled`.
    """
    async with transaction(elevated=True) as db:
        user = await users.by_email(db, email)
        if user is None:
            raise NotFound("There is no account with this address.")
        by = "An operator"
        found = await _take_away(db, user.id, user.email, user.display_name, by=by)
        belongs = select(Membership.organization_id).where(Membership.user_id == user.id)
        # In order, so that two at once do not wait for each other's chains.
        for organization_id in sorted(await db.scalars(belongs)):
            await audit.record(
                db,
                "second_factor.reset",
                organization_id=organization_id,
                target=user.id,
                detail={"kinds": found, "by": "operator"},
            )
    return found


async def _take_away(
    db: AsyncSession, user_id: UUID, email: str, name: str, *, by: str
) -> list[str]:
    """As app_auth: forget every factor, end every session, and say so by mail."""
    found = await second_factors.forget(db, user_id)
    if not found:
        raise second_factors.NotEnrolled("This person has no second factor.")
    await sessions.end_all(db, user_id)
    await mail.send(
        db,
        email,
        "auth/second_factor_reset",
        name=name,
        administrator=by,
        link=public_url("/account/security"),
    )
    return found
