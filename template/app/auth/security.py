"""How an account is protected, and where it is signed in."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.access import service as sessions
from app.access.models import Session
from app.access.person import Person
from app.audit import service as audit
from app.auth import opens, recovery_codes, second_factors
from app.auth.opens import Opener
from app.core.db import elevated, transaction


@dataclass(frozen=True)
class Protection:
    second_factors: list[str]
    recovery_codes_left: int
    sessions: Sequence[Session]
    opens: Sequence[Opener]


async def read(person: Person) -> Protection:
    async with transaction(elevated=True) as db:
        return Protection(
            second_factors=await second_factors.kinds(db, person.user_id),
            recovery_codes_left=await recovery_codes.left(db, person.user_id),
            sessions=await sessions.of_person(db, person.user_id),
            opens=[
                one.seen_in(person.organization_id)
                for one in await opens.all_of(db, person.user_id)
            ],
        )


async def end_session(db: AsyncSession, person: Person, session_id: UUID) -> None:
    """End one session of one's own. Raises `NotFound`."""
    async with elevated(db):
        await sessions.end(db, person.user_id, session_id)
        await audit.record(db, "session.revoked", person=person, target=session_id)


async def end_other_sessions(db: AsyncSession, person: Person) -> int:
    """End every session but this one; tells how many."""
    async with elevated(db):
        ended = await sessions.end_all(db, person.user_id, but=person.session_id)
        await audit.record(db, "session.others_revoked", person=person)
    return ended
