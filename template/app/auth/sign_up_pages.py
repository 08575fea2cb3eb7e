"""Sign-up, from the form to the link in the mail."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.abuse import gate
from app.access.access import public
from app.auth import cookies, links, sign_in, sign_up
from app.auth.dependencies import LINKS, SIGN_UPS, visitor, where_from
from app.auth.next_pages import home, keeping
from app.auth.schemas import GivenPassword, SignUp
from app.auth.settings import PasswordSettings, SignUpSettings
from app.core.errors import Problem
from app.core.settings import get_settings
from app.mail.settings import MailSettings
from app.modules import parts
from app.users.service import InvitationExpired
from app.web import flash, render
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read

router = APIRouter(include_in_schema=False)


def without_referrer(response: Response) -> Response:
    """For pages whose address holds a token: the address goes nowhere else."""
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def expired(request: Request, problem: Problem, action: tuple[str, str]) -> Response:
    """A link that no longer works, and what to do instead: a label and a path."""
    page = render(
        request, "auth/expired.html", sentence=problem.detail, action=action, status=problem.status
    )
    return without_referrer(page)


def inbox() -> str:
    """Where mail arrives on a laptop; empty where it really leaves."""
    on_laptop = not get_settings().production and MailSettings.load().backend == "inbox"
    return "/dev/inbox" if on_laptop else ""


@router.get("/sign-up", dependencies=[public()])
async def show_sign_up(
    request: Request, invitation: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    return await _sign_up(request, blank(invitation=invitation))


@router.post("/sign-up", dependencies=[public(), SIGN_UPS])
async def register(request: Request) -> Response:
    form = await read(request, SignUp)
    if form.data is None:
        return await _sign_up(request, form)
    data = form.data
    try:
        if data.invitation is None:
            await gate.enter(request, "sign-up", data.email)
        await sign_up.register(
            data.email,
            data.password.get_secret_value(),
            data.display_name,
            invitation=data.invitation,
        )
    except Problem as problem:
        return await _sign_up(request, form, problem)
    return RedirectResponse("/sign-up/sent", 303)


def _where_members_join(invitation: str | None) -> str:
    """Whoever has an account already answers an invitation there; empty where nobody can."""
    page = next((part.PAGE for part in parts("joining")), "")
    return f"{page}/{quote(invitation, safe='')}" if page and invitation else ""


async def _sign_up(request: Request, form: Form[Any], problem: Problem | None = None) -> Response:
    settings, token = SignUpSettings.load(), form.values.get("invitation")
    try:
        invited = await sign_up.invited(token) if token else None
    except InvitationExpired as too_old:
        return expired(request, too_old, ("Go to the start page", "/"))
    join = _where_members_join(token)
    if invited and join:
        person = await visitor(request)
        if person is not None and person.email.lower() == invited.email.lower():
            return without_referrer(RedirectResponse(join, 303))
    if invited:
        form.values["email"] = invited.email
    page = render_form(
        request,
        "auth/sign_up.html",
        form,
        problem,
        at="email" if isinstance(problem, sign_up.SignUpClosed) else "",
        invited=invited,
        challenge=None if invited else await gate.challenge(request, "sign-up"),
        sign_in_path=keeping("/sign-in", join),
        closed=invited is None and not await sign_up.open_to_strangers(),
        domains=settings.domains if settings.mode == "domain" else [],
        minimum=PasswordSettings.load().minimum_length,
    )
    return without_referrer(page) if token else page


@router.get("/sign-up/sent", dependencies=[public()])
async def show_sign_up_sent(request: Request) -> HTMLResponse:
    return render(request, "auth/sign_up_sent.html", inbox=inbox())


@router.get("/activate/{token}", dependencies=[public()])
async def show_activation(request: Request, token: str) -> Response:
    return await _activation(request, token, blank())


@router.post("/activate/{token}", dependencies=[public(), LINKS])
async def activate(request: Request, token: str) -> Response:
    form = await read(request, GivenPassword)
    if form.data is None:
        return await _activation(request, token, form)
    try:
        account = await sign_up.activate(token, form.data.password.get_secret_value())
    except Problem as problem:
        return await _activation(request, token, form, problem)
    started = await sign_in.start_session(
        account.user_id,
        account.organization_id,
        email=account.email,
        method="password",
        **where_from(request),
    )
    response = flash.redirect(home(), "Your address is confirmed.")
    cookies.remember(response, started.token, started.device)
    return without_referrer(response)


async def _activation(
    request: Request, token: str, form: Form[Any], problem: Problem | None = None
) -> Response:
    try:
        email = await links.address(token, "activate")
    except links.LinkExpired as too_old:
        return expired(request, too_old, ("Sign up again", "/sign-up"))
    page = render_form(request, "auth/activate.html", form, problem, email=email)
    return without_referrer(page)
