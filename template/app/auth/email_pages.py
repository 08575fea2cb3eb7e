"""Another mail address for one's own account."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from app.access.person import Person
from app.auth import cookies, email_change, links
from app.auth.dependencies import ProvenSelf, SelfDetached
from app.auth.factor_pages import SECURITY
from app.auth.schemas import NewEmail
from app.auth.sign_up_pages import without_referrer
from app.core.errors import NotFound, Problem
from app.web import flash, render
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read

router = APIRouter(prefix="/account/email", include_in_schema=False)


@router.get("")
async def show(request: Request, person: ProvenSelf) -> HTMLResponse:
    return _form(request, person, blank())


@router.post("")
async def request_change(request: Request, person: ProvenSelf) -> Response:
    form = await read(request, NewEmail)
    if form.data is None:
        return _form(request, person, form)
    try:
        await email_change.request(person, form.data.email)
    except Problem as problem:
        return _form(request, person, form, problem)
    return flash.redirect(SECURITY, "Look into the mail at the new address, and confirm it there.")


def _form(
    request: Request, person: Person, form: Form[Any], problem: Problem | None = None
) -> HTMLResponse:
    return render_form(request, "auth/email.html", form, problem, person=person, at="email")


@router.post("/withdraw")
async def withdraw(person: SelfDetached) -> Response:
    try:
        await email_change.withdraw(person)
    except NotFound:
        return flash.redirect(SECURITY, "There is no change to withdraw.", "info")
    return flash.redirect(SECURITY, "The change is withdrawn; your address stays as it is.")


@router.get("/confirm/{token}")
async def show_confirmation(request: Request, person: SelfDetached, token: str) -> Response:
    """Asks for a click: programs that look into mails follow links, too."""
    del token
    change = await email_change.pending(person)
    page = render(request, "auth/email_confirm.html", person=person, change=change)
    return without_referrer(page)


@router.post("/confirm/{token}")
async def confirm(person: SelfDetached, token: str) -> Response:
    try:
        changed = await email_change.confirm(person, token)
    except (links.LinkExpired, email_change.AddressTaken) as problem:
        return without_referrer(flash.redirect(SECURITY, problem.detail, "danger"))
    response = flash.redirect(SECURITY, "Your new address counts; other devices are signed out.")
    cookies.remember(response, changed.token, changed.device)
    return without_referrer(response)
