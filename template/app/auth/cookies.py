"""The cookies that signing in sets; `__Host-` ties them to this host and, in production, to TLS."""

import re

from starlette.requests import Request
from starlette.responses import Response

from app.access.forgery import BROWSER_COOKIE, OWN_SESSION_COOKIE, SESSION_COOKIE
from app.core.crypto import keyed_digest
from app.limits.lockout import DEVICE_COOKIE, DEVICE_LIFETIME

PLAIN = re.compile(r"[\w.-]+", re.ASCII)


def remember(response: Response, token: str, device: str | None = None) -> str:
    """Put the session in the browser; gives the token against request forgery that fits it."""
    _set(response, SESSION_COOKIE, token)
    if device:
        _set(response, DEVICE_COOKIE, device, max_age=int(DEVICE_LIFETIME.total_seconds()))
    return csrf_token(token)


def csrf_token(session_token: str) -> str:
    """The token against request forgery of a session."""
    return keyed_digest(session_token, "csrf session").hex()


def forget(response: Response) -> None:
    for name in (SESSION_COOKIE, OWN_SESSION_COOKIE):
        response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'


def step_aside(response: Response, token: str, own: str) -> str:
    """Put another session in the place of one's own, which waits in a cookie of its own."""
    _set(response, OWN_SESSION_COOKIE, own)
    return remember(response, token)


def step_back(response: Response, own: str) -> str:
    """One's own session again."""
    response.delete_cookie(OWN_SESSION_COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return remember(response, own)


def name_browser(request: Request, response: Response) -> None:
    """Before sign-in a page's forms are bound to a cookie of the browser's own."""
    if new := getattr(request.state, "new_browser", None):
        _set(response, BROWSER_COOKIE, new)


def _set(response: Response, name: str, value: str, max_age: int | None = None) -> None:
    # Written by hand: `set_cookie` takes a twelfth of the calls of a whole sign-in.
    if not PLAIN.fullmatch(value):
        raise ValueError(f"Another value than a token for {name}.")
    lasting = "" if max_age is None else f"; Max-Age={max_age}"
    line = f"{name}={value}; HttpOnly{lasting}; Path=/; SameSite=lax; Secure"
    response.raw_headers.append((b"set-cookie", line.encode()))
