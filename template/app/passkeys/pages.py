"""The passkeys of an account, and the steps of signing in that take one."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.access.access import public
from app.access.forgery import token_for
from app.access.person import Person
from app.auth import cookies, factor_pages
from app.auth.dependencies import SIGN_INS, Pending, ProvenSelf, SelfDetached, where_from
from app.auth.devices import device_name
from app.auth.next_pages import Next, keeping, next_path
from app.core.errors import NotFound, Problem
from app.passkeys import proofs, service
from app.passkeys.challenges import PasskeyRefused
from app.passkeys.dependencies import TriesLimit
from app.passkeys.schemas import NewPasskeyForm, ProvenForm, Rename
from app.web import flash
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read

PAGE = "/account/security/passkeys"
STEP = "/sign-in/second-factor/passkey"
NOTHING_CAME = "No passkey came along: it needs JavaScript, and that the page is there. Try again."

router = APIRouter(include_in_schema=False)


@router.get(PAGE)
async def show_passkeys(request: Request, person: SelfDetached, wish: Next = "") -> HTMLResponse:
    return await _passkeys(request, person, wish, blank())


@router.post(PAGE)
async def add_passkey(request: Request, person: ProvenSelf, wish: Next = "") -> Response:
    form = await read(request, NewPasskeyForm)
    if form.data is None:
        return await _passkeys(request, person, wish, await _not_the_credential(request, form))
    try:
        added = await service.add(person, token_for(request), form.data.name, form.data.credential)
    except Problem as problem:
        return await _passkeys(request, person, wish, form, problem)
    if added.token:
        return factor_pages.enrolled(request, person, service.KIND, added.codes, added.token, wish)
    return flash.redirect(PAGE, "The passkey is added.")


async def _passkeys(
    request: Request, person: Person, wish: str, form: Form[Any], problem: Problem | None = None
) -> HTMLResponse:
    return render_form(
        request,
        "passkeys/passkeys.html",
        form,
        problem,
        person=person,
        passkeys=await service.of_person(person.user_id),
        action=keeping(PAGE, wish),
        suggestion=device_name(request.headers.get("user-agent", "")),
    )


@router.post(PAGE + "/{passkey_id}/rename")
async def rename_passkey(request: Request, passkey_id: UUID, person: SelfDetached) -> Response:
    form = await read(request, Rename)
    if form.data is None:
        return flash.redirect(PAGE, f"The name stays. {form.errors['name']}", "warning")
    try:
        await service.rename(person, passkey_id, form.data.name)
    except NotFound:
        return flash.redirect(PAGE, "This passkey is gone already.", "info")
    return flash.redirect(PAGE, "The passkey has its new name.")


@router.post(PAGE + "/{passkey_id}/remove")
async def remove_passkey(passkey_id: UUID, person: ProvenSelf) -> Response:
    try:
        token = await service.remove(person, passkey_id)
    except NotFound:
        return flash.redirect(PAGE, "This passkey is gone already.", "info")
    response = flash.redirect(PAGE, "The passkey is removed.", "warning")
    if token:
        cookies.remember(response, token)
    return response


@router.post("/sign-in/passkey", dependencies=[public(), SIGN_INS])
async def sign_in(request: Request, wish: Next = "") -> Response:
    form = await read(request, ProvenForm)
    try:
        if form.data is None:
            raise await _refusal(request)
        started = await proofs.begin_session(
            form.data.credential, token_for(request), **where_from(request)
        )
    except Problem as problem:
        return flash.redirect(keeping("/sign-in", wish), problem.detail, "danger")
    response = RedirectResponse(next_path(wish), 303)
    cookies.remember(response, started.token, started.device)
    return response


@router.get(STEP)
async def show_second_step(request: Request, person: Pending, wish: Next = "") -> HTMLResponse:
    return await _second_step(request, person, wish, blank())


@router.post(STEP)
async def finish_sign_in(
    request: Request, person: Pending, _: TriesLimit, wish: Next = ""
) -> Response:
    form = await read(request, ProvenForm)
    if form.data is None:
        return await _second_step(request, person, wish, await _not_the_credential(request, form))
    try:
        started = await proofs.finish_sign_in(person, form.data.credential, token_for(request))
    except Problem as problem:
        return await _second_step(request, person, wish, form, problem)
    response = RedirectResponse(next_path(wish), 303)
    cookies.remember(response, started.token, started.device)
    return response


async def _second_step(
    request: Request, person: Person, wish: str, form: Form[Any], problem: Problem | None = None
) -> HTMLResponse:
    return render_form(
        request,
        "passkeys/second_factor.html",
        form,
        problem,
        person=person,
        action=keeping(STEP, wish),
        other_ways=await factor_pages.other_ways(person, service.KIND, wish),
    )


@router.post("/confirm/passkey")
async def prove_again(
    request: Request, person: SelfDetached, _: TriesLimit, wish: Next = ""
) -> Response:
    form = await read(request, ProvenForm)
    try:
        if form.data is None:
            raise await _refusal(request)
        token = await proofs.prove_again(person, form.data.credential, token_for(request))
    except Problem as problem:
        return flash.redirect(keeping("/confirm", wish), problem.detail, "danger")
    response = RedirectResponse(next_path(wish, "/account/security"), 303)
    cookies.remember(response, token)
    return response


async def _not_the_credential(request: Request, form: Form[Any]) -> Form[Any]:
    """What is wrong with the hidden field stands above the form: nobody sees the field."""
    if form.errors.pop("credential", None):
        form.refuse((await _refusal(request)).detail)
    return form


async def _refusal(request: Request) -> PasskeyRefused:
    """Says so when the page's script has not filled in what it should have."""
    sent = (await request.form()).get("credential")
    return PasskeyRefused() if sent else PasskeyRefused(NOTHING_CAME)
