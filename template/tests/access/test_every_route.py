"""The route table, walked: whoever may not, may not, on every route of the app."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from sqlalchemy import text
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from app.access.access import (
    Access,
    UnguardedRoute,
    allow,
    allow_detached,
    markers,
    public,
    refuse_unguarded,
    routes,
)
from app.access.roles import Role, always, granted, known
from app.core import db
from tests.factories import carry, make_organization, make_user, newcomers, sign_in

SAFE = {"GET", "HEAD"}


@dataclass(frozen=True)
class Call:
    """One way to call a route, and what it asks for; no `asks` means that anyone may."""

    method: str
    path: str
    asks: tuple[Access, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def address(self) -> str:
        return re.sub(r"{[^}]+}", lambda _: str(uuid4()), self.path)


def calls(app: FastAPI) -> Iterator[Call]:
    for route in routes(app):
        asks = tuple(one for one in markers(route) if isinstance(one, Access))
        for method in sorted(route.methods or ()):
            yield Call(method, route.path, asks)


@pytest.fixture
def guarded(app: FastAPI) -> list[Call]:
    found = [call for call in calls(app) if call.asks]
    assert len(found) > 25, "the walk must reach the routes of included routers"
    return found


async def problem(response: httpx2.Response) -> tuple[int, str]:
    kind = response.headers.get("content-type", "")
    told = response.json()["type"] if kind.startswith("application/problem+json") else ""
    return response.status_code, told


@pytest.mark.asvs("8.3.1")
async def test_strangers_are_turned_away_everywhere(client, guarded):
    let_in = [
        str(call)
        for call in guarded
        if await problem(await client.request(call.method, call.address))
        != (401, "/problems/sign-in-first")
    ]
    assert let_in == []


async def test_people_who_look_at_pages_are_led_to_sign_in(client, guarded):
    pages = [call for call in guarded if not call.path.startswith("/api/")]
    for call in pages:
        answer = await client.request(call.method, call.address, headers={"Accept": "text/html"})
        where = answer.headers.get("location", "")
        assert (answer.status_code, where.partition("?")[0]) == (303, "/sign-in"), str(call)


@pytest.mark.asvs("8.2.1")
@pytest.mark.parametrize("role", [role.value for role in Role])
async def test_a_role_opens_what_it_may_and_nothing_else(client, guarded, role):
    wrong = []
    # A new person each time: some routes end the session or remove the account.
    for call, newcomer in zip(guarded, await newcomers([role] * len(guarded)), strict=True):
        carry(client, newcomer)
        answer = await problem(await client.request(call.method, call.address))
        may = all(one.permission in granted(role) and one.level != "pending" for one in call.asks)
        refused = answer == (403, "/problems/not-permitted")
        if refused == may or answer[0] == 401:
            wrong.append((str(call), answer))
    assert wrong == []


@pytest.mark.dear
@pytest.mark.asvs("8.2.1")
async def test_a_custom_role_opens_what_it_names_and_nothing_else(client, guarded):
    """Each route with all that it asks for and nothing more, then with everything but that."""
    tries = [
        (call, asked, held)
        for call in guarded
        for asked in [{one.permission for one in call.asks}]
        for held in (asked, known() - asked)
    ]
    wrong = []
    people = await newcomers([held for _, _, held in tries])
    for (call, asked, held), newcomer in zip(tries, people, strict=True):
        carry(client, newcomer)
        answer = await problem(await client.request(call.method, call.address))
        pending = any(one.level == "pending" for one in call.asks)
        may = asked <= held | always() and not pending
        refused = answer == (403, "/problems/not-permitted")
        if refused == may or answer[0] == 401:
            wrong.append((str(call), sorted(held), answer))
    assert wrong == []


@pytest.mark.dear
@pytest.mark.asvs("2.3.1")
async def test_half_way_through_sign_in_nothing_opens_but_its_second_step(client, guarded):
    wrong = []
    people = await newcomers(["admin"] * len(guarded), level="pending")
    for call, newcomer in zip(guarded, people, strict=True):
        carry(client, newcomer)
        answer = await problem(await client.request(call.method, call.address))
        closed = answer == (401, "/problems/second-factor-pending")
        if closed == all(one.level != "full" for one in call.asks):
            wrong.append((str(call), answer))
    assert wrong == []


@pytest.mark.dear
@pytest.mark.asvs("7.2.1", "7.3.1", "7.4.1")
@pytest.mark.parametrize(
    "ended",
    [
        "revoked_at = now()",
        "expires_at = now()",
        "last_seen_at = now() - (idle_seconds + 1) * interval '1 s'",
    ],
)
async def test_an_ended_session_opens_nothing(client, guarded, ended):
    ada = await make_user(role="admin", password=False)
    await sign_in(client, ada)
    await set_sessions(ada, ended)
    for call in guarded:
        answer = await problem(await client.request(call.method, call.address))
        assert answer == (401, "/problems/sign-in-first"), str(call)


@pytest.mark.asvs("3.5.1", "3.5.3")
async def test_every_change_needs_the_token_against_forgery(client, app):
    ada = await make_user(await make_organization(), role="admin", password=False)
    await sign_in(client, ada)
    del client.headers["X-CSRF-Token"]
    changes = [call for call in calls(app) if call.method not in SAFE]
    assert len(changes) > 20
    for call in changes:
        answer = await problem(await client.request(call.method, call.address))
        assert answer == (403, "/problems/forged-request"), str(call)


@pytest.mark.asvs("7.5.1")
async def test_what_is_sensitive_needs_a_fresh_proof(client, guarded):
    ada = await make_user(role="admin", password=False)
    sensitive = [call for call in guarded if any(one.recent for one in call.asks)]
    assert len(sensitive) > 5
    await sign_in(client, ada)
    await set_sessions(ada, "authenticated_at = now() - interval '1 hour'")
    for call in sensitive:
        answer = await problem(await client.request(call.method, call.address))
        assert answer == (403, "/problems/prove-it-again"), str(call)


@pytest.mark.dear
@pytest.mark.asvs("6.3.3")
async def test_where_a_second_factor_is_asked_for_only_its_set_up_opens(client, guarded, configure):
    configure(SESSION_SECOND_FACTOR="everyone")
    wrong = []
    for call, newcomer in zip(guarded, await newcomers(["admin"] * len(guarded)), strict=True):
        carry(client, newcomer)
        answer = await problem(await client.request(call.method, call.address))
        closed = answer == (403, "/problems/second-factor-required")
        if closed != any(one.policy for one in call.asks):
            wrong.append((str(call), answer))
    assert wrong == []


@pytest.mark.asvs("8.2.1")
def test_what_is_for_administrators_opens_to_nobody_else(app):
    """The walk above believes what routes say; here is what they must say."""
    offices = re.compile(r"/admin|/api/(admin|users|invitations|roles|audit|organization/keys)")
    found = [call for call in calls(app) if offices.match(call.path)]
    assert len(found) > 10
    for call in found:
        permissions = {one.permission for one in call.asks}
        assert permissions, str(call)
        for role in (Role.MEMBER, Role.REVIEWER):
            assert not permissions <= granted(role), str(call)


def test_permissions_that_routes_ask_for_exist(guarded):
    """A misspelt one would shut everybody out."""
    known = frozenset().union(*(granted(role) for role in Role))
    assert {one.permission for call in guarded for one in call.asks} <= known


async def set_sessions(someone, what):
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(f"UPDATE sessions SET {what} WHERE user_id = :u"), {"u": someone.user_id}
        )


async def endpoint() -> str:
    return "open"


@pytest.mark.asvs("8.3.1")
def test_a_route_that_says_nothing_stops_the_start():
    app = FastAPI(openapi_url=None)
    app.add_api_route("/open", endpoint)
    with pytest.raises(UnguardedRoute, match="GET /open"):
        refuse_unguarded(app)


def test_it_is_found_behind_included_routers_too():
    inner, outer, app = APIRouter(), APIRouter(prefix="/outer"), FastAPI(openapi_url=None)
    inner.add_api_route("/guarded", endpoint, dependencies=[public()])
    inner.add_api_route("/open", endpoint, methods=["DELETE"])
    outer.include_router(inner, prefix="/inner")
    app.include_router(outer)
    with pytest.raises(UnguardedRoute, match="DELETE /outer/inner/open") as refusal:
        refuse_unguarded(app)
    assert "guarded" not in str(refusal.value).partition(": ")[2]


def test_routes_that_cannot_say_it_are_refused():
    async def plain(_: object) -> PlainTextResponse:
        return PlainTextResponse("open")

    async def socket(socket: WebSocket) -> None:
        await socket.accept()

    for route in (Route("/plain", plain), Mount("/mounted", app=plain)):
        app = FastAPI(openapi_url=None)
        app.router.routes.append(route)
        with pytest.raises(UnguardedRoute, match=route.path):
            refuse_unguarded(app)
    app = FastAPI(openapi_url=None)
    app.add_api_websocket_route("/socket", socket)
    with pytest.raises(UnguardedRoute, match="/socket"):
        refuse_unguarded(app)


def test_a_marker_counts_on_route_router_app_or_deep_in_a_dependency():
    def asked(person: object = allow("account.manage")) -> object:
        return person

    async def deep(person: object = Depends(asked)) -> str:
        return "guarded"

    router = APIRouter(dependencies=[public()])
    router.add_api_route("/router", endpoint)
    app = FastAPI(openapi_url=None)
    app.include_router(router)
    app.add_api_route("/route", endpoint, dependencies=[allow_detached("account.manage")])
    app.add_api_route("/deep", deep)
    included = APIRouter()
    included.add_api_route("/included", endpoint)
    app.include_router(included, dependencies=[public()])
    refuse_unguarded(app)
