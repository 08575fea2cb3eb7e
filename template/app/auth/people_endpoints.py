"""What administrators do about the sign-ins of others."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from app.access.access import allow
from app.access.person import Person
from app.auth import people, second_factors
from app.auth.schemas import Ended, MemberSignIns, Removed, SessionOut
from app.core.db import Database
from app.core.errors import NotFound
from app.core.problems import may
from app.users.roles import BeyondYourOwn

Manager = Annotated[Person, allow("users.manage", recent=True)]
Reader = Annotated[Person, allow("users.read")]

router = APIRouter(prefix="/api/auth/users", tags=["auth"])


@router.get("/{user_id}/sign-ins", responses=may(NotFound))
async def read_sign_ins(user_id: UUID, db: Database, person: Reader) -> MemberSignIns:
    """Where a member is signed in to this organisation, and which second factors they have."""
    found = await people.read(db, person.organization_id, user_id)
    return MemberSignIns(
        second_factors=found.second_factors,
        sessions=[SessionOut.shown_to(person, one) for one in found.sessions],
    )


@router.delete("/{user_id}/sessions", responses=may(NotFound, BeyondYourOwn))
async def end_sessions(user_id: UUID, db: Database, person: Manager) -> Ended:
    """Sign a member out everywhere."""
    return Ended(ended=await people.end_sessions(db, person, user_id))


@router.delete("/sessions")
async def end_everyone(db: Database, person: Manager) -> Ended:
    """Sign everyone in the organisation out, but this session."""
    return Ended(ended=await people.end_everyone(db, person))


@router.delete(
    "/{user_id}/second-factors",
    responses=may(
        NotFound,
        BeyondYourOwn,
        people.NotForYourself,
        people.BelongsElsewhere,
        second_factors.NotEnrolled,
    ),
)
async def reset_second_factors(user_id: UUID, db: Database, person: Manager) -> Removed:
    """Take away every second factor of a member who lost them; ends their sessions."""
    return Removed(kinds=await people.reset_second_factors(db, person, user_id))
