"""What administrators do about the sign-ins of others, from the page about a member."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

from app.access.access import allow
from app.access.person import Person
from app.auth import people
from app.core.db import Database
from app.core.errors import Conflict
from app.users.roles import BeyondYourOwn
from app.web import flash

PEOPLE = "/admin/users"
Manager = Annotated[Person, allow("users.manage", recent=True)]

router = APIRouter(prefix=PEOPLE, include_in_schema=False)


@router.post("/sign-everyone-out")
async def end_everyone(db: Database, person: Manager) -> Response:
    ended = await people.end_everyone(db, person)
    return flash.redirect(PEOPLE, f"Everyone is signed out but you; {ended} sessions ended.")


@router.post("/{user_id}/sign-out")
async def end_sessions(db: Database, person: Manager, user_id: UUID) -> Response:
    try:
        async with db.begin_nested():
            ended = await people.end_sessions(db, person, user_id)
    except BeyondYourOwn as problem:
        return flash.redirect(f"{PEOPLE}/{user_id}", problem.detail, "danger")
    said = "There was no session to end." if not ended else "Signed out everywhere."
    return flash.redirect(f"{PEOPLE}/{user_id}", said)


@router.post("/{user_id}/reset-second-factors")
async def reset_second_factors(db: Database, person: Manager, user_id: UUID) -> Response:
    try:
        async with db.begin_nested():
            await people.reset_second_factors(db, person, user_id)
    except (Conflict, BeyondYourOwn) as problem:
        return flash.redirect(f"{PEOPLE}/{user_id}", problem.detail, "danger")
    return flash.redirect(
        f"{PEOPLE}/{user_id}", "The second factors are taken away; the person was told by mail."
    )
