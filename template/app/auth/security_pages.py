"""How an account is protected: password, second factor, and where it is signed in."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from app.access.person import Person
from app.auth import cookies, email_change, passwords, second_factors, security, sign_in, totp
from app.auth.dependencies import ProvenSelf, Self, SelfDetached
from app.auth.devices import device_name
from app.auth.factor_pages import SECURITY as PAGE
from app.auth.factor_pages import enrolled, show_codes
from app.auth.next_pages import Next, next_path
from app.auth.schemas import CodeIn, PasswordChange
from app.auth.settings import PasswordSettings
from app.core.db import Database
from app.core.errors import NotFound, Problem
from app.web import flash
from app.web.cards import cards
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read

router = APIRouter(prefix=PAGE, include_in_schema=False)


@router.get("")
async def show(request: Request, person: SelfDetached, wish: Next = "") -> HTMLResponse:
    return await _security(request, person, blank(), wish=wish)


@router.post("")
async def change_password(request: Request, person: SelfDetached) -> Response:
    form = await read(request, PasswordChange)
    if form.data is None:
        return await _security(request, person, form)
    try:
        token = await sign_in.change_password(
            person, form.data.old.get_secret_value(), form.data.new.get_secret_value()
        )
    except passwords.WeakPassword as problem:
        return await _security(request, person, form.refuse(problem.detail, "new"))
    except passwords.WrongPassword as problem:
        return await _security(request, person, form.refuse(problem.detail, "old"))
    except Problem as problem:
        return await _security(request, person, form, problem)
    response = flash.redirect(PAGE, "Your password is changed; other devices are signed out.")
    cookies.remember(response, token)
    return response


async def _security(
    request: Request,
    person: Person,
    form: Form[Any],
    problem: Problem | None = None,
    *,
    wish: str = "",
) -> HTMLResponse:
    protection = await security.read(person)
    factors = [
        one
        for one in second_factors.known()
        if one.offered() or one.kind in protection.second_factors
    ]
    return render_form(
        request,
        "auth/security.html",
        form,
        problem,
        person=person,
        protection=protection,
        factors=factors,
        change=await email_change.pending(person),
        has_password=await sign_in.has_password(person.user_id),
        cards=await cards("account_card", person),
        device_name=device_name,
        minimum=PasswordSettings.load().minimum_length,
        wish=next_path(wish, ""),
    )


@router.get("/authenticator")
async def show_enrolment(request: Request, person: ProvenSelf, wish: Next = "") -> Response:
    """Begins an enrolment when none is under way; nothing counts until a code is confirmed."""
    try:
        secret, uri = await totp.pending_secret(person)
    except second_factors.NotEnrolled:
        try:
            secret, uri = await totp.begin(person)
        except second_factors.AlreadyEnrolled:
            return RedirectResponse(PAGE, 303)
    return _enrolment(request, person, secret, uri, blank(), wish=wish)


@router.post("/authenticator")
async def confirm_enrolment(request: Request, person: ProvenSelf, wish: Next = "") -> Response:
    form = await read(request, CodeIn)
    try:
        if form.data is not None:
            codes, token = await totp.confirm(person, form.data.code)
            return enrolled(request, person, totp.KIND, codes, token, wish)
        secret, uri = await totp.pending_secret(person)
    except (second_factors.AlreadyEnrolled, second_factors.NotEnrolled) as problem:
        return flash.redirect(PAGE, problem.detail, "warning")
    except Problem as problem:
        secret, uri = await totp.pending_secret(person)
        return _enrolment(request, person, secret, uri, form, problem, wish=wish)
    return _enrolment(request, person, secret, uri, form, wish=wish)


def _enrolment(
    request: Request,
    person: Person,
    secret: str,
    uri: str,
    form: Form[Any],
    problem: Problem | None = None,
    *,
    wish: str,
) -> HTMLResponse:
    import segno  # late, as few see this page in a process's life

    return render_form(
        request,
        "auth/authenticator.html",
        form,
        problem,
        person=person,
        # Attributes only: a style element or attribute would be refused by our own policy.
        qr=Markup(segno.make(uri, error="m", micro=False).svg_inline(omitsize=True)),  # noqa: S704
        uri=uri,
        secret=secret,
        spaced=" ".join(secret[i : i + 4] for i in range(0, len(secret), 4)),
        wish=next_path(wish, ""),
    )


@router.post("/authenticator/remove")
async def remove_authenticator(person: ProvenSelf) -> Response:
    try:
        token = await totp.remove(person)
    except second_factors.NotEnrolled as problem:
        return flash.redirect(PAGE, problem.detail, "warning")
    response = flash.redirect(PAGE, "The authenticator app is removed.", "warning")
    cookies.remember(response, token)
    return response


@router.get("/recovery-codes")
async def show_no_codes(_: SelfDetached) -> Response:
    """Whoever comes back to the page that showed them once."""
    return RedirectResponse(PAGE, 303)


@router.post("/recovery-codes")
async def renew_codes(request: Request, person: ProvenSelf) -> Response:
    try:
        codes = await second_factors.renew_codes(person)
    except second_factors.NotEnrolled as problem:
        return flash.redirect(PAGE, problem.detail, "warning")
    return show_codes(request, person, codes)


@router.post("/sessions/end-others")
async def end_other_sessions(db: Database, person: Self) -> Response:
    await security.end_other_sessions(db, person)
    return flash.redirect(PAGE, "All other sessions are ended.")


@router.post("/sessions/{session_id}/end")
async def end_session(session_id: UUID, db: Database, person: Self) -> Response:
    try:
        await security.end_session(db, person, session_id)
    except NotFound:
        return flash.redirect(PAGE, "This session has ended already.", "info")
    return flash.redirect(PAGE, "The session is ended.")
