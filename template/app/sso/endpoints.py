from importlib import import_module
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from app.access.access import public
from app.access.person import Person
from app.auth import cookies
from app.auth.dependencies import ProvenSelf, SelfDetached, visitor, where_from
from app.core.errors import Problem
from app.core.local_path import local_path
from app.modules import has
from app.sso import providers, service
from app.sso.attempts import Purpose
from app.sso.dependencies import RETURNS, STARTS, Browser, Name, keep
from app.sso.schemas import ConnectionOut, Departure, ProviderOut

router = APIRouter(tags=["sso"])

Next = Annotated[str, Query(alias="next", max_length=2000)]
Sent = Annotated[str | None, Query(max_length=4000)]


@router.get("/api/sso/providers", dependencies=[public()])
async def list_providers() -> list[ProviderOut]:
    """Where people may sign in."""
    return [ProviderOut.model_validate(one) for one in providers.configured()]


@router.post("/api/sso/providers/{name}/sign-in", dependencies=[public(), STARTS])
async def begin_sign_in(
    name: Name, response: Response, wish: Next = "", browser: Browser = None
) -> Departure:
    """Sign in by way of a provider. `next` is the path to come back to."""
    return await _leave(response, name, "sign_in", browser, wish)


@router.post("/api/sso/providers/{name}/connect", dependencies=[STARTS])
async def begin_connecting(
    name: Name, response: Response, person: ProvenSelf, wish: Next = "", browser: Browser = None
) -> Departure:
    """Connect one's account at a provider, to sign in with it from then on."""
    return await _leave(response, name, "link", browser, wish, person)


@router.post("/api/sso/providers/{name}/confirm", dependencies=[STARTS])
async def begin_confirming(
    name: Name, response: Response, person: SelfDetached, wish: Next = "", browser: Browser = None
) -> Departure:
    """Prove by way of a provider who one is; opens sensitive actions for a while."""
    return await _leave(response, name, "confirm", browser, wish, person)


async def _leave(
    response: Response,
    name: str,
    purpose: Purpose,
    browser: str | None,
    wish: str,
    person: Person | None = None,
) -> Departure:
    leaving = await service.leave(
        name, purpose, browser=browser, next_path=local_path(wish), person=person
    )
    keep(response, leaving)
    return Departure(authorization_url=leaving.address)


@router.get("/sso/{name}/callback", dependencies=[public(), RETURNS], include_in_schema=False)
async def come_back(
    request: Request,
    name: Name,
    state: Sent = None,
    code: Sent = None,
    error: Sent = None,
    iss: Sent = None,
    browser: Browser = None,
) -> Response:
    """Where a provider sends the browser back to; it is registered there, so it is one for all."""
    person = await visitor(request)
    try:
        returned = await service.come_back(
            name,
            state=state or "",
            browser=browser,
            code=code,
            error=error,
            issuer=iss,
            person=person,
            **where_from(request),
        )
    except Problem as problem:
        return _told(request, problem, "/account/security" if person else "/sign-in")
    started = returned.started
    pending = started is not None and started.level == "pending"
    pages = has("web")
    onward = returned.next_path
    if pending and pages:
        keeping = import_module("app.auth.next_pages").keeping
        onward = keeping("/sign-in/second-factor", onward)
    response: Response = RedirectResponse(onward, 303)
    if returned.purpose == "link" and pages:
        sentence = f"{providers.label_of(name)} is connected."
        response = import_module("app.web.flash").redirect(onward, sentence)
    if started is not None:
        cookies.remember(response, started.token, started.device)
    return _without_referrer(response)


def _told(request: Request, problem: Problem, page: str) -> Response:
    """People read the sentence on the page that they came from; programs get the problem."""
    if not has("web") or "text/html" not in request.headers.get("accept", ""):
        raise problem
    response: Response = import_module("app.web.flash").redirect(page, problem.detail, "danger")
    return _without_referrer(response)


def _without_referrer(response: Response) -> Response:
    # The address holds code and state.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@router.get("/api/sso/connections")
async def list_connections(person: SelfDetached) -> list[ConnectionOut]:
    """The accounts elsewhere that sign in to this one."""
    found = await service.connections(person.user_id)
    return [ConnectionOut.model_validate(one) for one in found]


@router.delete("/api/sso/connections/{connection_id}", status_code=204)
async def disconnect(connection_id: UUID, person: ProvenSelf) -> None:
    """Remove a connection, unless it is the only way to sign in."""
    await service.disconnect(person, connection_id)
