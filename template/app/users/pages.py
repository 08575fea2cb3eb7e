"""One's own profile, and for administrators the people of the organisation."""

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.core.db import Database
from app.core.errors import Conflict, NotFound, Problem
from app.users import organization_pages, role_pages, roles, service
from app.users.dependencies import InviteLimit, Manager, Reader, Self
from app.users.schemas import InvitationIn, ProfileChange, RoleChange
from app.web import flash, render
from app.web.cards import cards
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read
from app.web.navigation import ACCOUNT, Link

PEOPLE = "/admin/users"
INVITATIONS = "/admin/users/invitations"
PAGE_SIZE = 50
NAVIGATION = [
    Link("Profile", "/account", "account.manage", ACCOUNT, "person", 10),
    Link(
        "Organisation",
        organization_pages.PAGE,
        "organization.manage",
        "Administration",
        "building",
        55,
    ),
    Link("People", PEOPLE, "users.read", "Administration", "people", 60),
]

router = APIRouter(include_in_schema=False)
router.routes.extend(organization_pages.router.routes)
# Before the page of a person, whose id would match as well.
router.routes.extend(role_pages.router.routes)


@router.get("/account")
async def show_account(request: Request, db: Database, person: Self) -> HTMLResponse:
    return await _account(request, db, person, blank(display_name=person.display_name))


@router.post("/account")
async def change_account(request: Request, db: Database, person: Self) -> Response:
    form = await read(request, ProfileChange)
    if form.data is None:
        return await _account(request, db, person, form)
    await service.rename(db, person, form.data.display_name)
    return flash.redirect("/account", "Your name is changed.")


async def _account(
    request: Request, db: AsyncSession, person: Person, form: Form[Any]
) -> HTMLResponse:
    organization = await service.organization(db, person)
    return render_form(
        request,
        "users/account.html",
        form,
        person=person,
        organization=organization,
        roles=await roles.names(db),
    )


@router.get(PEOPLE)
async def show_people(
    request: Request,
    db: Database,
    person: Reader,
    search: Annotated[str, Query(max_length=100)] = "",
    after: UUID | None = None,
) -> HTMLResponse:
    found = await service.members(db, search=search.strip(), after=after, limit=PAGE_SIZE + 1)
    page = found[:PAGE_SIZE]

    def link(**place: object) -> str:
        wanted = ({"search": search} if search else {}) | place
        return f"{PEOPLE}?{urlencode(wanted)}" if wanted else PEOPLE

    return render(
        request,
        "users/people.html",
        person=person,
        people=page,
        roles=await roles.names(db),
        form=blank(search=search),
        search=search,
        first=link() if after else None,
        next=link(after=page[-1].id) if len(found) > PAGE_SIZE else None,
    )


@router.get(INVITATIONS)
async def show_invitations(request: Request, db: Database, person: Reader) -> HTMLResponse:
    return await _invitations(request, db, person, blank())


@router.post(INVITATIONS)
async def send_invitation(
    request: Request, db: Database, person: Manager, _: InviteLimit
) -> Response:
    form = await read(request, InvitationIn)
    if form.data is None:
        return await _invitations(request, db, person, form)
    try:
        async with db.begin_nested():
            await service.invite(db, person, form.data.email, form.data.role)
    except Problem as problem:
        return await _invitations(request, db, person, form, problem)
    return flash.redirect(INVITATIONS, f"The invitation to {form.data.email} is on its way.")


async def _invitations(
    request: Request,
    db: AsyncSession,
    person: Person,
    form: Form[Any],
    problem: Problem | None = None,
) -> HTMLResponse:
    return render_form(
        request,
        "users/invitations.html",
        form,
        problem,
        person=person,
        invitations=await service.open_invitations(db),
        choices=await roles.choices(db, person),
        roles=await roles.names(db),
    )


@router.post(INVITATIONS + "/{invitation_id}/withdraw")
async def withdraw_invitation(invitation_id: UUID, db: Database, person: Manager) -> Response:
    try:
        await service.revoke_invitation(db, person, invitation_id)
    except NotFound:
        return flash.redirect(INVITATIONS, "This invitation is no longer open.", "info")
    return flash.redirect(INVITATIONS, "The invitation is withdrawn.")


@router.get(PEOPLE + "/{user_id}")
async def show_person(
    request: Request, db: Database, person: Reader, user_id: UUID
) -> HTMLResponse:
    member = await service.member(db, user_id)
    return render(
        request,
        "users/person.html",
        person=person,
        member=member,
        form=blank(role=member.role),
        choices=await roles.choices(db, person),
        roles=await roles.names(db),
        cards=await cards("member_card", db, user_id),
    )


@router.post(PEOPLE + "/{user_id}/role")
async def change_role(request: Request, db: Database, person: Manager, user_id: UUID) -> Response:
    form = await read(request, RoleChange)
    if form.data is None:
        return flash.redirect(f"{PEOPLE}/{user_id}", "Choose one of the roles.", "danger")
    try:
        async with db.begin_nested():
            member = await service.change_role(db, person, user_id, form.data.role)
    except (Conflict, roles.BeyondYourOwn) as problem:
        return flash.redirect(f"{PEOPLE}/{user_id}", problem.detail, "danger")
    # Whoever gave up administration may not look at this page any more.
    onward = "/account" if user_id == person.user_id else f"{PEOPLE}/{user_id}"
    return flash.redirect(onward, f"{member.display_name} has the new role.")


@router.post(PEOPLE + "/{user_id}/suspend")
async def suspend(db: Database, person: Manager, user_id: UUID) -> Response:
    try:
        async with db.begin_nested():
            member = await service.suspend(db, person, user_id)
    except (Conflict, roles.BeyondYourOwn) as problem:
        return flash.redirect(f"{PEOPLE}/{user_id}", problem.detail, "danger")
    return flash.redirect(
        f"{PEOPLE}/{user_id}", f"{member.display_name} is suspended and signed out."
    )


@router.post(PEOPLE + "/{user_id}/reactivate")
async def reactivate(db: Database, person: Manager, user_id: UUID) -> Response:
    member = await service.reactivate(db, person, user_id)
    return flash.redirect(f"{PEOPLE}/{user_id}", f"{member.display_name} may sign in again.")


@router.post(PEOPLE + "/{user_id}/remove")
async def remove(db: Database, person: Manager, user_id: UUID) -> Response:
    try:
        async with db.begin_nested():
            await service.remove(db, person, user_id)
    except (Conflict, roles.BeyondYourOwn) as problem:
        return flash.redirect(f"{PEOPLE}/{user_id}", problem.detail, "danger")
    onward = "/" if user_id == person.user_id else PEOPLE
    return flash.redirect(onward, "The account and all that belonged to it are deleted.")
