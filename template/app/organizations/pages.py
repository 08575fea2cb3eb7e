"""One's organisations: where one is, where one may go, and who asks one to join."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.access import public
from app.access.person import Person
from app.auth import cookies
from app.auth.dependencies import LINKS, visitor
from app.auth.next_pages import home
from app.auth.sign_up_pages import expired, without_referrer
from app.core.db import Database
from app.core.errors import Problem
from app.organizations import joining, listing_pages, owner_pages, service
from app.organizations.dependencies import AnswerLimit, CreateLimit, Founder, Self
from app.organizations.schemas import NewOrganization
from app.users.service import InvitationExpired
from app.web import flash, render
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read
from app.web.navigation import SWITCHER, Link

PAGE = "/organizations"
NAVIGATION = [
    Link("Switch organisation", PAGE, "account.manage", SWITCHER, "chevrons", 1),
    listing_pages.LINK,
]
ROLES = {"admin": "administrator"}

router = APIRouter(include_in_schema=False)
router.routes.extend(owner_pages.router.routes)
router.routes.extend(listing_pages.router.routes)


@router.get(PAGE)
async def show_organizations(request: Request, db: Database, person: Self) -> HTMLResponse:
    return render(
        request,
        "organizations/list.html",
        person=person,
        organizations=await service.mine(db, person),
        invitations=await joining.open_for(db, person),
        roles=ROLES,
    )


@router.get(PAGE + "/new")
async def show_new(request: Request, person: Founder) -> HTMLResponse:
    return _new(request, person, blank())


@router.post(PAGE + "/new")
async def create(request: Request, db: Database, person: Founder, _: CreateLimit) -> Response:
    form = await read(request, NewOrganization)
    if form.data is None:
        return _new(request, person, form)
    try:
        async with db.begin_nested():
            entry = await service.create(db, person, form.data.name, form.data.slug)
    except Problem as problem:
        return _new(request, person, form, problem)
    return _go(entry, f"{entry.name} is made. Invite the people who belong to it.")


def _new(
    request: Request, person: Person, form: Form[Any], problem: Problem | None = None
) -> HTMLResponse:
    return render_form(request, "organizations/new.html", form, problem, person=person)


@router.post(PAGE + "/current/leave")
async def leave(db: Database, person: Self) -> Response:
    try:
        async with db.begin_nested():
            entry = await service.leave(db, person)
    except Problem as problem:
        return flash.redirect(PAGE, problem.detail, "danger")
    return owner_pages.after(entry, f"You have left {person.organization_name}.")


@router.post(PAGE + "/{organization_id}/switch")
async def switch(organization_id: UUID, db: Database, person: Self) -> Response:
    return await _switch(db, person, organization_id)


async def _switch(
    db: AsyncSession, person: Person, organization_id: UUID, joined: str = ""
) -> Response:
    try:
        async with db.begin_nested():
            entry = await service.switch(db, person, organization_id)
    except Problem as problem:
        return flash.redirect(PAGE, f"{joined}{problem.detail}", "warning")
    return _go(entry, f"You are in {entry.name} now.")


def _go(entry: service.Entry, text: str) -> Response:
    response = flash.redirect(home(), text)
    cookies.remember(response, entry.token)
    return response


@router.post(PAGE + "/invitations/{invitation_id}/accept")
async def accept(invitation_id: UUID, db: Database, person: Self, _: AnswerLimit) -> Response:
    try:
        async with db.begin_nested():
            organization_id = await joining.accept(db, person, invitation_id)
    except Problem as problem:
        return flash.redirect(PAGE, problem.detail, "warning")
    return await _switch(db, person, organization_id, "You are a member now. ")


@router.post(PAGE + "/invitations/{invitation_id}/decline")
async def decline(invitation_id: UUID, db: Database, person: Self, _: AnswerLimit) -> Response:
    try:
        async with db.begin_nested():
            await joining.decline(db, person, invitation_id)
    except Problem as problem:
        return flash.redirect(PAGE, problem.detail, "warning")
    return flash.redirect(PAGE, "The invitation is declined.")


@router.get(joining.PAGE + "/{token}", dependencies=[public(), LINKS])
async def show_invitation(request: Request, token: str) -> Response:
    """Whoever is signed in as the invited address answers; others are told what to do first."""
    person = await visitor(request)
    person = person if person is not None and person.level == "full" else None
    try:
        invited = await joining.read(token)
    except InvitationExpired as too_old:
        return expired(request, too_old, ("Go to the start page", "/"))
    page = render(
        request,
        "organizations/invitation.html",
        person=person,
        invited=invited,
        token=token,
        here=f"{joining.PAGE}/{token}",
        theirs=person is not None and person.email.lower() == invited.email.lower(),
        roles=ROLES,
    )
    return without_referrer(page)
