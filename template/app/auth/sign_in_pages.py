"""Sign-in with its second step, sign-out, a new password, and proving it again."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.abuse import gate
from app.access.access import public
from app.access.person import Person
from app.auth import cookies, links, reset, second_factors, sign_in, sign_up, totp
from app.auth.dependencies import (
    LINKS,
    RESETS,
    Attempt,
    Leaving,
    Pending,
    SelfDetached,
    visitor,
    where_from,
)
from app.auth.factor_pages import other_ways
from app.auth.next_pages import Next, keeping, next_path
from app.auth.schemas import ChosenPassword, Proof, ResetRequest, SecondFactor, SignIn
from app.auth.settings import PasswordSettings
from app.auth.sign_up_pages import expired, inbox, without_referrer
from app.core.db import Database
from app.core.errors import Problem
from app.web import flash, render
from app.web.cards import cards
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read

router = APIRouter(include_in_schema=False)


@router.get("/sign-in", dependencies=[public()])
async def show_sign_in(request: Request, wish: Next = "") -> Response:
    person = await visitor(request)
    if person is not None and person.level == "full":
        return RedirectResponse(next_path(wish), 303)
    return await _sign_in(request, wish, blank())


@router.post("/sign-in", dependencies=[public()])
async def start_session(request: Request, attempt: Attempt, wish: Next = "") -> Response:
    form = await read(request, SignIn)
    if form.data is None:
        return await _sign_in(request, wish, form)
    try:
        await gate.enter(request, "sign-in", form.data.email)
        started = await sign_in.sign_in(
            form.data.email, form.data.password.get_secret_value(), attempt, **where_from(request)
        )
    except Problem as problem:
        return await _sign_in(request, wish, form, problem)
    half_way = started.level == "pending"
    path = keeping("/sign-in/second-factor", wish) if half_way else next_path(wish)
    response = RedirectResponse(path, 303)
    cookies.remember(response, started.token, started.device)
    return response


async def _sign_in(
    request: Request, wish: str, form: Form[Any], problem: Problem | None = None
) -> HTMLResponse:
    return render_form(
        request,
        "auth/sign_in.html",
        form,
        problem,
        action=keeping("/sign-in", wish),
        challenge=await gate.challenge(request, "sign-in"),
        can_sign_up=await sign_up.open_to_strangers(),
        cards=await cards("sign_in_card", wish),
    )


Method = Annotated[str, Query(pattern="^(|totp|recovery_code)$")]


@router.get("/sign-in/second-factor")
async def show_second_factor(
    request: Request, person: Pending, wish: Next = "", method: Method = ""
) -> Response:
    """The factor to ask for first; its page leads to the others."""
    ways = await second_factors.enrolled(person.user_id)
    if not method and ways and ways[0].kind != totp.KIND:
        return RedirectResponse(keeping(ways[0].sign_in_path, wish), 303)
    method = method or (totp.KIND if ways else "recovery_code")
    return await _second_factor(request, person, wish, blank(method=method))


@router.post("/sign-in/second-factor")
async def finish_sign_in(request: Request, person: Pending, wish: Next = "") -> Response:
    form = await read(request, SecondFactor)
    if form.data is None:
        return await _second_factor(request, person, wish, form)
    by_app = form.data.method == totp.KIND
    finish = totp.finish_sign_in if by_app else second_factors.finish_with_recovery_code
    try:
        started = await finish(person, form.data.code)
    except Problem as problem:
        return await _second_factor(request, person, wish, form, problem)
    response = RedirectResponse(next_path(wish), 303)
    cookies.remember(response, started.token, started.device)
    return response


async def _second_factor(
    request: Request, person: Person, wish: str, form: Form[Any], problem: Problem | None = None
) -> HTMLResponse:
    now = form.values.get("method", totp.KIND)
    return render_form(
        request,
        "auth/second_factor.html",
        form,
        problem,
        person=person,
        action=keeping("/sign-in/second-factor", wish),
        other_ways=await other_ways(person, now, wish),
    )


@router.post("/sign-out")
async def end_session(db: Database, person: Leaving) -> Response:
    await sign_in.sign_out(db, person)
    response = flash.redirect("/", "You are signed out.")
    cookies.forget(response)
    return response


@router.get("/forgot-password", dependencies=[public()])
async def show_forgot_password(request: Request) -> HTMLResponse:
    return await _forgot_password(request, blank())


@router.post("/forgot-password", dependencies=[public(), RESETS])
async def request_reset(request: Request) -> Response:
    form = await read(request, ResetRequest)
    if form.data is None:
        return await _forgot_password(request, form)
    try:
        await gate.enter(request, "sign-in", form.data.email)
    except Problem as problem:
        return await _forgot_password(request, form, problem)
    await reset.request(form.data.email, where_from(request)["device"])
    return RedirectResponse("/forgot-password/sent", 303)


async def _forgot_password(
    request: Request, form: Form[Any], problem: Problem | None = None
) -> HTMLResponse:
    challenge = await gate.challenge(request, "sign-in")
    return render_form(request, "auth/forgot_password.html", form, problem, challenge=challenge)


@router.get("/forgot-password/sent", dependencies=[public()])
async def show_reset_sent(request: Request) -> HTMLResponse:
    return render(request, "auth/reset_sent.html", inbox=inbox())


@router.get("/reset-password/{token}", dependencies=[public()])
async def show_reset(request: Request, token: str) -> Response:
    return await _reset(request, token, blank())


@router.post("/reset-password/{token}", dependencies=[public(), LINKS])
async def finish_reset(request: Request, token: str) -> Response:
    form = await read(request, ChosenPassword)
    if form.data is None:
        return await _reset(request, token, form)
    try:
        found = await reset.finish(
            token, form.data.password.get_secret_value(), end_api_keys=form.data.end_api_keys
        )
    except Problem as problem:
        return await _reset(request, token, form, problem)
    if found:
        return without_referrer(render(request, "auth/reset_done.html", opens=found))
    response = flash.redirect("/sign-in", "The new password is set. Sign in with it.")
    return without_referrer(response)


async def _reset(
    request: Request, token: str, form: Form[Any], problem: Problem | None = None
) -> Response:
    try:
        email, has_keys = await reset.about(token)
    except links.LinkExpired as too_old:
        return expired(request, too_old, ("Ask for a new link", "/forgot-password"))
    minimum = PasswordSettings.load().minimum_length
    page = render_form(
        request,
        "auth/reset_password.html",
        form,
        problem,
        email=email,
        minimum=minimum,
        has_keys=has_keys,
    )
    return without_referrer(page)


@router.get("/confirm")
async def show_confirm(
    request: Request, person: SelfDetached, wish: Next = "", method: Method = ""
) -> HTMLResponse:
    return await _confirm(request, person, wish, blank(method=method))


@router.post("/confirm")
async def prove_again(request: Request, person: SelfDetached, wish: Next = "") -> Response:
    form = await read(request, Proof)
    if form.data is None:
        return await _confirm(request, person, wish, form)
    try:
        token = await sign_in.prove(person, form.data)
    except Problem as problem:
        return await _confirm(request, person, wish, form, problem)
    response = RedirectResponse(next_path(wish, "/account/security"), 303)
    cookies.remember(response, token)
    return response


async def _confirm(
    request: Request, person: Person, wish: str, form: Form[Any], problem: Problem | None = None
) -> HTMLResponse:
    kinds = {one.kind for one in await second_factors.enrolled(person.user_id)}
    # The password alone is no proof for someone with a second factor, and some have no password.
    has_password = await sign_in.has_password(person.user_id)
    recovering = bool(kinds) and form.values.get("method") == "recovery_code"
    by_password = has_password and (not kinds or totp.KIND in kinds)
    return render_form(
        request,
        "auth/confirm.html",
        form,
        problem,
        person=person,
        action=keeping("/confirm", wish),
        back=next_path(wish, "/account/security"),
        by_password=by_password or recovering,
        has_password=has_password,
        with_code=totp.KIND in kinds,
        recovering=recovering,
        other_way=_other_way(bool(kinds), recovering, wish),
        cards=[] if recovering else await cards("confirm_card", person, wish),
    )


def _other_way(has_factors: bool, recovering: bool, wish: str) -> tuple[str, str] | None:
    """For who lost every second factor, and the way back."""
    if recovering:
        return "Confirm another way", keeping("/confirm", wish)
    if has_factors:
        return "Use a recovery code", keeping("/confirm?method=recovery_code", wish)
    return None
