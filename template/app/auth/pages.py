"""The way in for people: landing, sign-up, sign-in, and the security of their account."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from app.access.access import (
    ProveItAgain,
    SecondFactorPending,
    SecondFactorRequired,
    SignInFirst,
    public,
)
from app.auth import (
    email_pages,
    people_pages,
    security_pages,
    sign_in_pages,
    sign_up,
    sign_up_pages,
)
from app.auth.dependencies import visitor
from app.auth.next_pages import home
from app.web import render
from app.web.navigation import ACCOUNT, Link

NAVIGATION = [Link("Security", "/account/security", "account.manage", ACCOUNT, "shield", 20)]
REMEDIES = {
    SignInFirst: "/sign-in",
    SecondFactorPending: "/sign-in/second-factor",
    SecondFactorRequired: "/account/security",
    ProveItAgain: "/confirm",
}

router = APIRouter(include_in_schema=False)
for part in (sign_up_pages, sign_in_pages, security_pages, email_pages, people_pages):
    router.routes.extend(part.router.routes)


@router.get("/", dependencies=[public()])
async def show_landing(request: Request) -> Response:
    person = await visitor(request)
    if person is not None and person.level == "full":
        return RedirectResponse(home(), 303)
    can_sign_up = await sign_up.open_to_strangers()
    return render(request, "web/landing.html", can_sign_up=can_sign_up)
