"""Texted codes: as the second step of signing in, and to prove it again."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.access.person import Person
from app.auth import cookies
from app.auth.dependencies import Pending, SelfDetached
from app.auth.factor_pages import SECURITY, other_ways
from app.auth.next_pages import Next, keeping, next_path
from app.core.errors import Problem
from app.sms_codes import service
from app.sms_codes.dependencies import TEXTS
from app.sms_codes.models import Purpose
from app.sms_codes.schemas import CodeIn, ProofIn
from app.web import flash
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read

SIGN_IN = "/sign-in/text-message"
CONFIRM = "/confirm/text-message"
SENT = "A code is on its way."

router = APIRouter(include_in_schema=False)


@router.get(SIGN_IN)
async def show_sign_in(request: Request, person: Pending, wish: Next = "") -> HTMLResponse:
    return await _sign_in(request, person, wish, blank())


@router.post(f"{SIGN_IN}/send", dependencies=[TEXTS])
async def send_sign_in_code(request: Request, person: Pending, wish: Next = "") -> Response:
    try:
        await service.send_code(person, Purpose.SIGN_IN)
    except Problem as problem:
        return await _sign_in(request, person, wish, blank(), problem)
    return flash.redirect(keeping(SIGN_IN, wish), SENT)


@router.post(SIGN_IN)
async def finish_sign_in(request: Request, person: Pending, wish: Next = "") -> Response:
    form = await read(request, CodeIn)
    if form.data is None:
        return await _sign_in(request, person, wish, form)
    try:
        started = await service.finish_sign_in(person, form.data.code)
    except Problem as problem:
        return await _sign_in(request, person, wish, form, problem)
    response = RedirectResponse(next_path(wish), 303)
    cookies.remember(response, started.token, started.device)
    return response


async def _sign_in(
    request: Request, person: Person, wish: str, form: Form[Any], problem: Problem | None = None
) -> HTMLResponse:
    return render_form(
        request,
        "sms_codes/sign_in.html",
        form,
        problem,
        person=person,
        phone=await service.read(person.user_id),
        waiting=await service.waiting(person, Purpose.SIGN_IN),
        action=keeping(SIGN_IN, wish),
        send=keeping(f"{SIGN_IN}/send", wish),
        other_ways=await other_ways(person, service.KIND, wish),
    )


@router.get(CONFIRM)
async def show_confirm(request: Request, person: SelfDetached, wish: Next = "") -> HTMLResponse:
    return await _confirm(request, person, wish, blank())


@router.post(f"{CONFIRM}/send", dependencies=[TEXTS])
async def send_proof_code(request: Request, person: SelfDetached, wish: Next = "") -> Response:
    try:
        await service.send_code(person, Purpose.PROOF)
    except Problem as problem:
        return await _confirm(request, person, wish, blank(), problem)
    return flash.redirect(keeping(CONFIRM, wish), SENT)


@router.post(CONFIRM)
async def prove_again(request: Request, person: SelfDetached, wish: Next = "") -> Response:
    form = await read(request, ProofIn)
    if form.data is None:
        return await _confirm(request, person, wish, form)
    try:
        token = await service.prove_again(
            person, form.data.password.get_secret_value(), form.data.code
        )
    except Problem as problem:
        return await _confirm(request, person, wish, form, problem)
    response = RedirectResponse(next_path(wish, SECURITY), 303)
    cookies.remember(response, token)
    return response


async def _confirm(
    request: Request, person: Person, wish: str, form: Form[Any], problem: Problem | None = None
) -> HTMLResponse:
    return render_form(
        request,
        "sms_codes/confirm.html",
        form,
        problem,
        person=person,
        phone=await service.read(person.user_id),
        waiting=await service.waiting(person, Purpose.PROOF),
        action=keeping(CONFIRM, wish),
        send=keeping(f"{CONFIRM}/send", wish),
        back=keeping("/confirm", wish),
    )
