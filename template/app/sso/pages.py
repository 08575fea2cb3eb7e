"""Buttons that lead to providers and back, what is connected, and what is set up."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from app.access.access import allow_detached, public
from app.access.person import Person
from app.auth.dependencies import ProvenSelf, SelfDetached
from app.auth.next_pages import Next, next_path
from app.core.errors import Problem
from app.sso import providers, service, status
from app.sso.attempts import Purpose
from app.sso.dependencies import STARTS, Browser, Name, keep
from app.web import flash, render
from app.web.navigation import Link

SECURITY = "/account/security"

NAVIGATION = [
    Link("Single sign-on", "/admin/sso", "sso.read", "Administration", "key", 61),
]

router = APIRouter(include_in_schema=False)


@router.post("/sign-in/sso/{name}", dependencies=[public(), STARTS])
async def sign_in(
    request: Request, name: Name, wish: Next = "", browser: Browser = None
) -> Response:
    return await _leave(request, name, "sign_in", next_path(wish), "/sign-in", browser)


@router.post(SECURITY + "/connections/{name}", dependencies=[STARTS])
async def connect(
    request: Request, name: Name, person: ProvenSelf, browser: Browser = None
) -> Response:
    return await _leave(request, name, "link", SECURITY, SECURITY, browser, person)


@router.post("/confirm/sso/{name}", dependencies=[STARTS])
async def confirm(
    request: Request, name: Name, person: SelfDetached, wish: Next = "", browser: Browser = None
) -> Response:
    onward = next_path(wish, SECURITY)
    return await _leave(request, name, "confirm", onward, "/confirm", browser, person)


async def _leave(
    request: Request,
    name: str,
    purpose: Purpose,
    onward: str,
    back: str,
    browser: str | None,
    person: Person | None = None,
) -> Response:
    """A page that goes on by itself: our policy lets no form end on another site."""
    try:
        leaving = await service.leave(
            name, purpose, browser=browser, next_path=onward, person=person
        )
    except Problem as problem:
        return flash.redirect(back, problem.detail, "danger")
    response = render(
        request,
        "sso/leaving.html",
        label=providers.label_of(name),
        address=leaving.address,
        back=back,
    )
    # The provider need not know which page of ours someone was on.
    response.headers["Referrer-Policy"] = "no-referrer"
    keep(response, leaving)
    return response


@router.post(SECURITY + "/connections/{connection_id}/remove")
async def disconnect(connection_id: UUID, person: ProvenSelf) -> Response:
    try:
        await service.disconnect(person, connection_id)
    except Problem as problem:
        return flash.redirect(SECURITY, problem.detail, "danger")
    return flash.redirect(SECURITY, "The connection is removed.")


@router.get("/admin/sso")
async def show_status(
    request: Request, person: Annotated[Person, allow_detached("sso.read")]
) -> HTMLResponse:
    return render(request, "sso/status.html", person=person, providers=await status.of_providers())
