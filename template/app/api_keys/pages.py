"""One's own API keys, and for administrators the keys of everyone."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.access.roles import meanings
from app.api_keys import service
from app.api_keys.dependencies import MakeLimit, Manager, Owner, ProvenOwner
from app.api_keys.schemas import KeyIn, Renewal
from app.api_keys.settings import ApiKeysSettings
from app.core.db import Database
from app.core.errors import NotFound, Problem
from app.web import flash, render
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read
from app.web.navigation import ACCOUNT, Link

PAGE = "/account/keys"
EVERYONES = "/admin/keys"
PAGE_SIZE = 50
NAVIGATION = [
    Link("API keys", PAGE, "api_keys.use", ACCOUNT, "key", 30),
    Link("API keys", EVERYONES, "api_keys.manage", "Administration", "key", 65),
]
GRACES = [(0, "At once"), (1, "After an hour"), (24, "After a day"), (168, "After a week")]

router = APIRouter(include_in_schema=False)


@router.get(PAGE)
async def show_keys(request: Request, db: Database, person: Owner) -> HTMLResponse:
    return await _keys(request, db, person, blank())


@router.post(PAGE)
async def create_key(request: Request, db: Database, person: ProvenOwner, _: MakeLimit) -> Response:
    form = await read(request, KeyIn)
    if form.data is None:
        return await _keys(request, db, person, form)
    wanted = form.data
    try:
        async with db.begin_nested():
            made = await service.create(
                db, person, wanted.name, wanted.scopes, wanted.expires_in_days
            )
    except Problem as problem:
        return await _keys(request, db, person, form, problem)
    return _secret(request, person, made)


@router.get(PAGE + "/{key_id}/renew")
async def show_no_secret(_: Owner, key_id: UUID) -> Response:
    """Whoever comes back to the page that showed it once."""
    return RedirectResponse(PAGE, 303)


@router.post(PAGE + "/{key_id}/renew")
async def renew_key(
    request: Request, db: Database, person: ProvenOwner, key_id: UUID, _: MakeLimit
) -> Response:
    form = await read(request, Renewal)
    try:
        async with db.begin_nested():
            wanted = form.data or Renewal()
            made = await service.renew(db, person, key_id, grace_hours=wanted.grace_hours)
    except Problem as problem:
        return flash.redirect(PAGE, problem.detail, "warning")
    return _secret(request, person, made)


@router.post(PAGE + "/{key_id}/revoke")
async def revoke_key(db: Database, person: Owner, key_id: UUID) -> Response:
    return await _revoke(db, person, key_id, PAGE)


@router.get(EVERYONES)
async def show_keys_of_everyone(
    request: Request, db: Database, person: Manager, before: UUID | None = None
) -> HTMLResponse:
    found = await service.of_organization(db, before=before, limit=PAGE_SIZE + 1)
    page = found[:PAGE_SIZE]
    return render(
        request,
        "api_keys/everyones.html",
        person=person,
        found=page,
        state=service.state,
        newest=EVERYONES if before else None,
        older=f"{EVERYONES}?before={page[-1].key.id}" if len(found) > PAGE_SIZE else None,
    )


@router.post(EVERYONES + "/{key_id}/revoke")
async def revoke_anyones_key(db: Database, person: Manager, key_id: UUID) -> Response:
    return await _revoke(db, person, key_id, EVERYONES, anyones=True)


async def _revoke(
    db: AsyncSession, person: Person, key_id: UUID, onward: str, *, anyones: bool = False
) -> Response:
    try:
        key = await service.revoke(db, person, key_id, anyones=anyones)
    except NotFound:
        return flash.redirect(onward, "This key is revoked already.", "info")
    return flash.redirect(onward, f"The key {key.name} is revoked.")


async def _keys(
    request: Request,
    db: AsyncSession,
    person: Person,
    form: Form[Any],
    problem: Problem | None = None,
) -> HTMLResponse:
    settings = ApiKeysSettings.load()
    return render_form(
        request,
        "api_keys/keys.html",
        form,
        problem,
        person=person,
        keys=await service.of_person(db, person),
        state=service.state,
        offered=[(name, name, meanings().get(name, "")) for name in service.offered(person)],
        days=min(settings.default_days, settings.longest_days),
        longest=settings.longest_days,
        graces=[one for one in GRACES if one[0] <= settings.longest_grace_hours],
    )


def _secret(request: Request, person: Person, made: service.Made) -> HTMLResponse:
    """Shown once: the answer to the form itself, for nothing of it may be kept to show again."""
    response = render(
        request, "api_keys/secret.html", person=person, key=made.key, secret=made.secret
    )
    response.headers["Cache-Control"] = "no-store"
    return response
