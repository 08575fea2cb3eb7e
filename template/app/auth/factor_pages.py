"""What the pages of every second factor share."""

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from app.access.person import Person
from app.auth import cookies, second_factors
from app.auth.next_pages import keeping, next_path
from app.core.settings import answers
from app.web import flash, render

SECURITY = "/account/security"


async def other_ways(person: Person, now: str, wish: str) -> list[tuple[str, str]]:
    """Label and path of the ways to take the second step, but for the one that is shown `now`.

    For the page of every factor; `auth/_other_ways.html` shows them.
    """
    found = [
        (one.label, keeping(one.sign_in_path, wish))
        for one in await second_factors.enrolled(person.user_id)
        if one.kind != now
    ]
    if now != "recovery_code":
        path = keeping("/sign-in/second-factor?method=recovery_code", wish)
        found.append(("Recovery code", path))
    return found


def enrolled(
    request: Request, person: Person, kind: str, codes: list[str], token: str, wish: str = ""
) -> Response:
    """The answer when a factor was set up: the recovery codes, or back when there are some."""
    label = second_factors.named(kind).label
    if codes:
        return show_codes(request, person, codes, token=token, enrolled=label, wish=wish)
    response = flash.redirect(next_path(wish, SECURITY), f"{label} is set up.")
    cookies.remember(response, token)
    return response


def show_codes(
    request: Request,
    person: Person,
    codes: list[str],
    *,
    token: str | None = None,
    enrolled: str = "",
    wish: str = "",
) -> HTMLResponse:
    """Recovery codes, shown once: the answer to the form itself, for nothing of it may be kept.

    `token` is the session's new one, `enrolled` the label of the factor that was just set up.
    """
    if token:
        request.state.csrf_token = cookies.csrf_token(token)  # of the session this answer sets
    heading = f"Recovery codes for {answers()['project']['name']}, {person.email}"
    response = render(
        request,
        "auth/recovery_codes.html",
        person=person,
        codes=codes,
        text="\n".join([heading, "Each code works once.", "", *codes, ""]),
        onward=next_path(wish, SECURITY),
        enrolled=enrolled,
    )
    if token:
        cookies.remember(response, token)
    return response
