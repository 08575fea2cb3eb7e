"""What stands before signing in, signing up and asking for a new password, while a measure holds.

    await gate.enter(request, "sign-in", email)      in the endpoint, before anything is looked at

A browser from which the person once signed in passes: strangers cannot shut its owner out.
"""

from collections.abc import Iterator
from typing import Any, Literal

from fastapi import Request

from app.abuse import captcha, in_force, seeing
from app.abuse.in_force import InForce
from app.abuse.problems import NetworkSlowed, NetworkSuspended
from app.abuse.subjects import EVERYONE, Subject, address, network
from app.limits import lockout
from app.limits.addresses import client_address
from app.limits.service import Rate, RateLimited, take

Door = Literal["sign-in", "sign-up"]
SLOWED = {"sign-in": Rate(10, 300, strict=True), "sign-up": Rate(2, 3600, strict=True)}
"""What an address that is slowed may still do: enough for one person with a bad day."""


ANSWERS: dict[str, Any] = {
    "parameters": [
        {
            "name": captcha.ANSWER_HEADER,
            "in": "header",
            "required": False,
            "description": "What the captcha's widget gave, after an answer that asked for it.",
            "schema": {"type": "string", "default": ""},
        }
    ]
}
"""`openapi_extra` of each endpoint that calls `enter`, which reads the header when it is needed."""


async def enter(request: Request, door: Door, login: str = "") -> None:
    """Raise what a measure in force asks for: solve a challenge, wait, or come back later."""
    if door == "sign-up":
        await seeing.signed_up(login, client_address(request.scope))
    held = await at(request, door)
    if held is None or await _known(request, login):
        return None
    if held.measure == "suspend":
        raise NetworkSuspended(held.left)
    if held.measure == "challenge" and (by := captcha.provider()):
        return await captcha.check(by, await _answer(request, by), door)
    try:
        await take(f"slowed {door}:{client_address(request.scope)}", SLOWED[door])
    except RateLimited as refusal:
        raise NetworkSlowed(refusal.retry_after) from refusal
    return None


async def challenge(request: Request, door: Door) -> captcha.Widget | None:
    """What the page of a form shows; lets the provider's widget into this page and no other."""
    by, held = captcha.provider(), await at(request, door)
    if by is None or held is None or held.measure != "challenge":
        return None
    request.state.content_sources = by.sources
    return captcha.widget(by, door)


async def _answer(request: Request, by: captcha.Provider) -> str:
    if given := request.headers.get(captcha.ANSWER_HEADER):
        return given
    kind = request.headers.get("content-type", "")
    if not kind.startswith(("application/x-www-form", "multipart/form-data")):
        return ""
    value = (await request.form()).get(by.field)
    return value if isinstance(value, str) else ""


async def at(request: Request, door: Door) -> InForce | None:
    """What holds where this request comes from."""
    return await in_force.strictest(door, _whence(client_address(request.scope)))


def _whence(client: str) -> Iterator[Subject]:
    """One after the other, because usually nothing is in force and nobody asks."""
    yield address(client)
    yield network(client)
    yield EVERYONE


async def _known(request: Request, login: str) -> bool:
    cookie = request.cookies.get(lockout.DEVICE_COOKIE)
    return bool(login) and await lockout.known(login, cookie) is not None
