"""The phone number of an account."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.access.person import Person
from app.auth import cookies
from app.auth.dependencies import ProvenSelf, SelfDetached
from app.auth.factor_pages import SECURITY, enrolled
from app.auth.next_pages import Next, keeping, next_path
from app.core.errors import Problem
from app.sms_codes import service
from app.sms_codes.dependencies import TEXTS
from app.sms_codes.models import Purpose
from app.sms_codes.schemas import CodeIn, NumberIn
from app.sms_codes.settings import SmsSettings
from app.web import flash
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read

PAGE = "/account/security/phone"
CODE = f"{PAGE}/code"

router = APIRouter(prefix=PAGE, include_in_schema=False)


@router.get("")
async def show(request: Request, person: ProvenSelf, wish: Next = "") -> HTMLResponse:
    # Whoever comes from "set up a second factor" wants one.
    return await _phone(request, person, blank(second_factor=bool(wish)), wish=wish)


@router.post("", dependencies=[TEXTS])
async def ask_to_confirm(request: Request, person: ProvenSelf, wish: Next = "") -> Response:
    form = await read(request, NumberIn)
    if form.data is None:
        return await _phone(request, person, form, wish=wish)
    try:
        await service.ask_to_confirm(person, form.data.number, as_factor=form.data.second_factor)
    except Problem as problem:
        return await _phone(request, person, form, problem, wish=wish)
    return RedirectResponse(keeping(CODE, wish), 303)


async def _phone(
    request: Request,
    person: Person,
    form: Form[Any],
    problem: Problem | None = None,
    *,
    wish: str,
) -> HTMLResponse:
    return render_form(
        request,
        "sms_codes/phone.html",
        form,
        problem,
        person=person,
        phone=await service.read(person.user_id),
        factor_allowed=SmsSettings.load().factor_allowed,
        action=keeping(PAGE, wish),
        use=keeping(f"{PAGE}/use", wish),
    )


@router.post("/use", dependencies=[TEXTS])
async def ask_to_use(person: ProvenSelf, wish: Next = "") -> Response:
    try:
        await service.ask_to_use(person)
    except Problem as problem:
        return flash.redirect(PAGE, problem.detail, "warning")
    return RedirectResponse(keeping(CODE, wish), 303)


@router.get("/code")
async def show_code(request: Request, person: SelfDetached, wish: Next = "") -> Response:
    return await _code(request, person, blank(), wish=wish)


@router.post("/code")
async def confirm(request: Request, person: SelfDetached, wish: Next = "") -> Response:
    form = await read(request, CodeIn)
    if form.data is None:
        return await _code(request, person, form, wish=wish)
    try:
        done = await service.confirm(person, form.data.code)
    except service.NumberTaken as problem:
        return flash.redirect(PAGE, problem.detail, "danger")
    except Problem as problem:
        return await _code(request, person, form, problem, wish=wish)
    if done.token and done.as_factor:
        return enrolled(request, person, service.KIND, done.recovery_codes, done.token, wish)
    response = flash.redirect(next_path(wish, SECURITY), f"{done.number} is confirmed.")
    if done.token:
        cookies.remember(response, done.token)
    return response


@router.post("/code/again", dependencies=[TEXTS])
async def ask_again(request: Request, person: SelfDetached, wish: Next = "") -> Response:
    try:
        await service.ask_again(person)
    except Problem as problem:
        return await _code(request, person, blank(), problem, wish=wish)
    return flash.redirect(keeping(CODE, wish), "A new code is on its way.")


async def _code(
    request: Request,
    person: Person,
    form: Form[Any],
    problem: Problem | None = None,
    *,
    wish: str,
) -> Response:
    waiting = await service.waiting(person, Purpose.NUMBER)
    if waiting is None:
        return flash.redirect(PAGE, "That code does not count any more. Ask for a new one.", "info")
    return render_form(
        request,
        "sms_codes/phone_code.html",
        form,
        problem,
        person=person,
        waiting=waiting,
        action=keeping(CODE, wish),
        again=keeping(f"{CODE}/again", wish),
    )


@router.post("/stop-use")
async def stop_use(person: ProvenSelf) -> Response:
    try:
        token = await service.stop_use(person)
    except Problem as problem:
        return flash.redirect(SECURITY, problem.detail, "warning")
    response = flash.redirect(SECURITY, "Signing in asks for no texted code any more.", "warning")
    cookies.remember(response, token)
    return response


@router.post("/remove")
async def remove(person: ProvenSelf) -> Response:
    try:
        token = await service.remove(person)
    except Problem as problem:
        return flash.redirect(SECURITY, problem.detail, "warning")
    response = flash.redirect(SECURITY, "Your phone number is removed.", "warning")
    if token:
        cookies.remember(response, token)
    return response
