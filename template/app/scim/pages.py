"""The directory's token, for administrators."""

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.core.db import Database
from app.core.errors import NotFound
from app.scim import discovery, tokens
from app.scim.dependencies import Manager, ProvenManager
from app.web import flash, render
from app.web.navigation import Link

PAGE = "/admin/directory"

NAVIGATION = [Link("Directory", PAGE, "scim.manage", "Administration", "refresh", 62)]

router = APIRouter(prefix=PAGE, include_in_schema=False)


@router.get("")
async def show(request: Request, db: Database, person: Manager) -> HTMLResponse:
    return render(
        request,
        "scim/directory.html",
        person=person,
        tokens=await tokens.of_organization(db, person),
        address=discovery.address(""),
        made=None,
    )


@router.post("/tokens")
async def make(request: Request, db: Database, person: ProvenManager) -> HTMLResponse:
    """Shown once: the answer to the form itself."""
    made = await tokens.make(db, person)
    return render(
        request,
        "scim/directory.html",
        person=person,
        tokens=await tokens.of_organization(db, person),
        address=discovery.address(""),
        made=made,
    )


@router.get("/tokens")
async def show_no_token(_: Manager) -> Response:
    """Whoever comes back to the page that showed it once."""
    return RedirectResponse(PAGE, 303)


@router.post("/tokens/{token_id}/end")
async def end(token_id: UUID, db: Database, person: ProvenManager) -> Response:
    try:
        await tokens.end(db, person, token_id)
    except NotFound:
        return flash.redirect(PAGE, "This token has ended already.", "info")
    return flash.redirect(PAGE, "The token is ended; the directory can no longer use it.")
