"""One message for the next page, in a signed cookie that lives a minute."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from time import time
from typing import Literal, get_args

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.core.crypto import keyed_digest, same

COOKIE = "__Host-flash"
SECONDS = 60
LONGEST = 500

Tone = Literal["info", "success", "warning", "danger"]


@dataclass(frozen=True, slots=True)
class Message:
    text: str
    tone: Tone = "success"


def redirect(path: str, text: str = "", tone: Tone = "success") -> RedirectResponse:
    """After a form was accepted: go to `path` and say so there."""
    response = RedirectResponse(path, 303)
    if text:
        tell(response, text, tone)
    return response


def tell(response: Response, text: str, tone: Tone = "success") -> None:
    """Show a message on the next page. It is signed, not secret: the browser can read it."""
    body = urlsafe_b64encode(orjson.dumps([int(time()), tone, text[:LONGEST]])).decode()
    _set(response, f"{body}.{_signature(body)}", SECONDS)


def toast(response: Response, text: str, tone: Tone = "success") -> None:
    """Show a message at once; for answers to htmx."""
    # json and not orjson: a header must be ASCII, and json escapes the rest.
    response.headers["HX-Trigger"] = json.dumps({"toast": {"text": text, "tone": tone}})


def waiting(request: Request) -> list[Message]:
    """What `tell` left for this page."""
    body, _, signature = request.cookies.get(COOKIE, "").partition(".")
    if not body or not same(signature, _signature(body)):
        return []
    told_at, tone, text = orjson.loads(urlsafe_b64decode(body))
    if not 0 <= time() - told_at <= SECONDS or tone not in get_args(Tone):
        return []
    return [Message(text, tone)]


def forget(response: Response) -> None:
    """The message was shown."""
    _set(response, "", 0)


def _signature(body: str) -> str:
    return keyed_digest(body, "flash message").hex()


def _set(response: Response, value: str, seconds: int) -> None:
    response.set_cookie(
        COOKIE, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax"
    )
