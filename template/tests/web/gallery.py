"""Every component on real pages, for looking and for the tests beside this file.

    uv run uvicorn tests.web.gallery:app --reload

then open http://127.0.0.1:8000. Nothing here is part of the app.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import segno
from markupsafe import Markup
from pydantic import BaseModel, EmailStr, Field, SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from app.core.middleware import RequestContext, SecurityHeaders
from app.core.settings import get_settings
from app.web import flash, static_files
from app.web.forms import Form, blank, read
from app.web.navigation import ACCOUNT, Link, around
from app.web.render import environment, render

TEMPLATES = Path(__file__).parent / "templates"
TOKEN = "a-token-for-looking"
MOMENT = datetime(2026, 3, 9, 14, 5, 7, tzinfo=UTC)
NAVIGATION = [
    Link("Chat", "/chat", icon="chat"),
    Link("Table", "/table", "", "Administration", "people"),
    Link("Components", "/components", "audit.read", "Administration", "settings"),
    Link("Usage", "/usage", "usage.read", "Administration", "chart"),
    Link("Security", "/security", "", ACCOUNT, "shield"),
    Link("Not for you", "/secret", "nobody.may", "Administration", "lock"),
]


@dataclass(frozen=True)
class Viewer:
    display_name: str = "Ada Lovelace"
    email: str = "ada@example.com"
    organization_name: str = "Analytical Engines"
    level: str = "full"
    permissions: frozenset[str] = frozenset({"audit.read", "usage.read"})


class Enquiry(BaseModel):
    name: Annotated[str, Field(min_length=2, max_length=40)]
    email: EmailStr
    password: SecretStr
    seats: Annotated[int, Field(ge=1, le=50)] = 1
    terms: bool


def page(request: Request, name: str, *, signed_in: bool = True, **context: Any) -> Response:
    request.state.csrf_token = TOKEN
    if str(TEMPLATES) not in (folders := environment().loader.searchpath):  # type: ignore[union-attr]
        folders.append(str(TEMPLATES))
    person = Viewer() if signed_in else None
    if person:
        # The gallery is no module of the app, so it brings its own links.
        context |= around(request.url.path, person, NAVIGATION)
    return render(request, name, person=person, **context)


def samples() -> dict[str, Any]:
    days = [f"{(MOMENT - timedelta(days=29 - n)):%-d %b}" for n in range(30)]
    waves = [round(900 + 700 * ((n * 37) % 17) / 17 + n * 40) for n in range(30)]
    refused: Form[Any] = Form(
        None,
        {"email": "Enter an e-mail address, like name@example.com.", "terms": "Please agree."},
        {"name": "Ada", "email": "ada@", "role": "reviewer"},
    )
    return {
        "blank": blank(),
        "refused": refused,
        "moment": MOMENT,
        "cost": Decimal("0.00421"),
        "codes": [f"{n * 7919 % 9000 + 1000}-{n * 104729 % 9000 + 1000}" for n in range(1, 11)],
        "days": days,
        "waves": waves,
        "calls": list(zip(days, waves, strict=True)),
        "series": [
            ("Input", waves),
            ("a-model/" + "withoutanyend" * 5, [value * 0.45 + 200 for value in waves]),
            ("Cached", [value * 0.2 for value in reversed(waves)]),
        ],
        "qr": Markup(
            segno.make("otpauth://totp/Demo:ada?secret=JBSWY3DPEHPK3PXP").svg_inline(omitsize=True)
        ),
        "people": [
            ("Ada Lovelace", "ada@example.com", "admin", "success", "Active", MOMENT),
            ("Grace Hopper", "grace@example.com", "reviewer", "success", "Active", MOMENT),
            ("Alan Turing", "alan@example.com", "member", "warning", "Invited", None),
            ("Katherine Johnson", "katherine@example.com", "member", "danger", "Suspended", MOMENT),
            ("Edsger Dijkstra", "edsger@example.com", "member", "neutral", "Left", MOMENT),
        ],
    }


async def components(request: Request) -> Response:
    return page(request, "gallery/components.html", **samples())


async def table(request: Request) -> Response:
    return page(request, "gallery/table.html", **samples())


async def usage(request: Request) -> Response:
    return page(request, "gallery/usage.html", **samples())


async def conversation(request: Request) -> Response:
    return page(request, "gallery/chat.html", conversation_id=request.path_params.get("id"))


async def enquiry(request: Request) -> Response:
    form: Form[Any] = blank()
    if request.method == "POST":
        form = await read(request, Enquiry)
        if form.data is not None:
            return flash.redirect("/enquiry", "Thank you, we have it.")
    status = 422 if form.errors else 200
    return page(request, "gallery/enquiry.html", signed_in=False, form=form, status=status)


async def landing(request: Request) -> Response:
    return page(request, "web/landing.html", signed_in=False, can_sign_up=True)


async def error(request: Request) -> Response:
    return page(
        request,
        "web/error.html",
        signed_in="in" in request.query_params,
        status=404,
        code=404,
        title="This page does not exist",
        detail="The address may be mistyped, or what was here has moved or been deleted.",
        request_id="019c1f0e7b3a7d2f",
    )


ANSWER = """Yes. You can **end sessions** on other devices:

1. Open *Account security*.
2. Choose **End all other sessions**.

```python
await sessions.end_all(db, person.user_id, but=person.session_id)
```

See [the guide](https://example.com/guide) for `more`.
<img src=x onerror=alert(1)> stays text, and so does [this](javascript:alert(1)).
"""


ASKED: list[tuple[str, str]] = []
"""What was asked since the start, and under which key."""


async def create(_: Request) -> Response:
    return JSONResponse({"id": "019c1f0e-7b3a-7d2f-8000-000000000000"}, 201)


async def answer(request: Request) -> Response:
    """Streams like the app; what is asked chooses what goes wrong."""
    if request.headers.get("x-csrf-token") != TOKEN:
        return JSONResponse({"title": "Forbidden", "detail": "No token came along."}, 403)
    text = (await request.json())["text"]
    ASKED.append((text, request.headers["idempotency-key"]))
    if "refuse" in text:
        return JSONResponse(
            {"title": "Too Many Requests", "detail": "Please wait 20 seconds."},
            429,
            media_type="application/problem+json",
        )
    return StreamingResponse(_events(text), media_type="text/event-stream")


async def _events(text: str) -> AsyncIterator[bytes]:
    def event(name: str, data: object) -> bytes:
        return f"event: {name}\r\ndata: {json.dumps(data)}\r\n\r\n".encode()

    long = "long" in text
    words = ("word " * 600 if long else ANSWER).split(" ")
    yield b": hello\n\n"
    for at, word in enumerate(words):
        if "break" in text and at == 5:
            yield event("error", {"title": "Unavailable", "detail": "The model went away."})
            return
        if "cut" in text and at == 5:
            return
        whole = event("delta", {"text": word + (" " if at < len(words) - 1 else "")})
        yield whole[:9]  # in two pieces, as networks do
        yield whole[9:]
        await asyncio.sleep(0.008 if long else 0.004)
    if "replace" in text:
        yield event("replace", {"text": "This was **withheld**."})
    sources = [{"title": "Sessions", "quote": "A person can end sessions.", "url": "/docs"}]
    yield event("sources", {"sources": sources})
    yield event("done", {"call_id": "call-1", "model": "extractive", "stand_in": True})


async def rate(request: Request) -> Response:
    good = (await request.json())["rating"] in {"up", "down"}
    return JSONResponse({}, 200 if good and request.path_params["id"] == "call-1" else 422)


app = Starlette(
    routes=[
        Route("/", landing),
        Route("/components", components),
        Route("/table", table),
        Route("/usage", usage),
        Route("/chat", conversation),
        Route("/chat/{id}", conversation),
        Route("/enquiry", enquiry, methods=["GET", "POST"]),
        Route("/error", error),
        Route("/api/conversations", create, methods=["POST"]),
        Route("/api/conversations/{id}/messages", answer, methods=["POST"]),
        Route("/api/feedback/{id}", rate, methods=["PUT"]),
        Mount("/static", static_files.app),
    ]
)
app.add_middleware(SecurityHeaders, settings=get_settings())
app.add_middleware(RequestContext, settings=get_settings())
