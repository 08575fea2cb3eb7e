"""Begin it on the page about a member, and end it from the banner on every page."""

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.access.access import ImpersonationEnded, SignInFirst, public
from app.auth import cookies
from app.auth.next_pages import home
from app.core.db import Database
from app.core.errors import NotFound, Problem
from app.impersonation import service
from app.impersonation.dependencies import ENDS, Impersonator, StartLimit, own_token
from app.impersonation.returning import go_back
from app.impersonation.schemas import Start
from app.web import flash, render
from app.web.forms import read

PEOPLE = "/admin/users"
REMEDIES = {ImpersonationEnded: "/impersonation/ended"}

router = APIRouter(include_in_schema=False)


@router.post(PEOPLE + "/{user_id}/impersonate")
async def start(
    request: Request, db: Database, person: Impersonator, user_id: UUID, _: StartLimit
) -> Response:
    form, page = await read(request, Start), f"{PEOPLE}/{user_id}"
    if form.data is None:
        said = next(iter(form.errors.values()), "Say why.")
        return flash.redirect(page, f"Say why, in ten letters or more. {said}", "danger")
    own = own_token(request)
    try:
        async with db.begin_nested():
            begun = await service.start(db, person, user_id, form.data.reason, form.data.minutes)
    except NotFound:
        raise
    except Problem as problem:
        return flash.redirect(page, problem.detail, "danger")
    response = RedirectResponse(home(), 303)
    cookies.step_aside(response, begun.token, own)
    return response


@router.get("/impersonation/ended", dependencies=[public()])
async def show_ended(request: Request) -> HTMLResponse:
    """Where whoever worked as someone else lands when the time is over."""
    return render(request, "impersonation/ended.html", impersonates=False)


@router.post("/impersonation/end", dependencies=[public(), ENDS])
async def end(request: Request) -> Response:
    try:
        own = await go_back(request)
    except SignInFirst:
        gone: Response = flash.redirect("/sign-in", "Your own session has ended, too.", "info")
        cookies.forget(gone)
        return gone
    response = flash.redirect(PEOPLE, "You are yourself again.")
    cookies.step_back(response, own)
    return response
