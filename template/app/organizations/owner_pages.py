"""Where the owner hands the organisation on or deletes it."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.auth import cookies
from app.core.db import Database
from app.core.errors import Problem
from app.organizations import ownership, service
from app.organizations.dependencies import Owner
from app.organizations.schemas import Deletion
from app.users.dependencies import Organizer
from app.users.schemas import Email
from app.web import flash
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read

PAGE = "/organizations/current/ownership"

router = APIRouter(include_in_schema=False)


class Heir(BaseModel):
    email: Email


class TypedName(Deletion):
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]


@router.get(PAGE)
async def show_ownership(request: Request, db: Database, person: Organizer) -> HTMLResponse:
    return await _ownership(request, db, person)


@router.post(PAGE)
async def transfer(request: Request, db: Database, person: Owner) -> Response:
    form = await read(request, Heir)
    if form.data is None:
        return await _ownership(request, db, person, heir=form)
    try:
        async with db.begin_nested():
            heir = await ownership.member_by_email(db, form.data.email)
            await ownership.transfer(db, person, heir)
    except Problem as problem:
        return await _ownership(request, db, person, heir=form, problem=problem)
    return flash.redirect(PAGE, f"{form.data.email} is the owner now.")


@router.post(PAGE + "/delete")
async def delete(request: Request, db: Database, person: Owner) -> Response:
    form = await read(request, TypedName)
    if form.data is None:
        return await _ownership(request, db, person, deleting=form)
    try:
        async with db.begin_nested():
            entry = await ownership.remove(db, person, form.data.name)
    except Problem as problem:
        return await _ownership(request, db, person, deleting=form, problem=problem)
    return after(entry, f"{person.organization_name} is deleted.")


def after(entry: service.Entry | None, text: str) -> Response:
    """Where someone goes who belongs to the current organisation no more."""
    if entry is None:
        response = flash.redirect("/", text)
        cookies.forget(response)
        return response
    response = flash.redirect("/organizations", f"{text} You are in {entry.name} now.")
    cookies.remember(response, entry.token)
    return response


async def _ownership(
    request: Request,
    db: AsyncSession,
    person: Person,
    *,
    heir: Form[Any] | None = None,
    deleting: Form[Any] | None = None,
    problem: Problem | None = None,
) -> HTMLResponse:
    owner_id = await ownership.owner(db, person)
    given, other = (deleting, "heir") if deleting is not None else (heir or blank(), "deleting")
    forms = {"heir": heir or blank(), "deleting": deleting or blank()} | {other: blank()}
    return render_form(
        request,
        "organizations/ownership.html",
        given or blank(),
        problem,
        at="name" if deleting is not None else "email",
        person=person,
        owned=owner_id == person.user_id,
        orphaned=owner_id is None,
        only=len(await service.mine(db, person)) == 1,
        **forms,
    )
