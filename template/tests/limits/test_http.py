from collections.abc import AsyncIterator
from secrets import token_hex
from time import monotonic
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import FastAPI, Form

from app.access.access import allow
from app.access.person import Person
from app.core import problems
from app.core.middleware import RequestContext
from app.core.settings import get_settings
from app.limits.dependencies import limited
from app.limits.middleware import AddressLimit
from app.limits.service import Rate
from tests.conftest import new_client
from tests.factories import Someone, make_user, sign_in

RATE = Rate(2, 3600, strict=True)


@pytest.fixture
def small_app(configure) -> FastAPI:
    """An app of five requests a minute and address, with routes that have limits of their own."""
    configure(LIMITS_ADDRESS_PER_MINUTE=5, TRUSTED_PROXIES=1)
    app = FastAPI()
    name = token_hex()

    @app.get("/open")
    async def answer() -> str:
        return "ok"

    @app.get("/health/live")
    async def live() -> str:
        return "ok"

    @app.post("/by-form", dependencies=[limited(f"{name}-form", RATE, by="field:email")])
    async def by_form(email: Annotated[str, Form()]) -> str:
        return email

    @app.post("/by-json", dependencies=[limited(f"{name}-json", RATE, by="field:email")])
    async def by_json(body: dict[str, Any]) -> str:
        return str(body["email"])

    @app.get("/by-person")
    async def by_person(
        person: Annotated[Person, allow("test.use")],
        _: Annotated[None, limited(f"{name}-person", RATE, by="person")],
    ) -> str:
        return person.display_name

    problems.install(app)
    app.add_middleware(AddressLimit)
    app.add_middleware(RequestContext, settings=get_settings())
    return app


async def statuses(browser: httpx2.AsyncClient, path: str, times: int, **values: Any) -> list[int]:
    method = "POST" if values else "GET"
    return [(await browser.request(method, path, **values)).status_code for _ in range(times)]


@pytest.fixture
async def browser(small_app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with new_client(small_app) as made:
        yield made


@pytest.mark.asvs("2.4.1")
async def test_every_route_answers_429_to_an_address_that_asks_too_often(browser):
    assert await statuses(browser, "/open", 7) == [200] * 5 + [429] * 2


async def test_the_refusal_is_a_problem_that_says_when_to_come_back(browser):
    began = monotonic()
    await statuses(browser, "/open", 5)

    refusal = await browser.get("/open")

    assert refusal.headers["content-type"] == "application/problem+json"
    # One comes back every twelve seconds.
    assert 12 - (monotonic() - began) <= int(refusal.headers["retry-after"]) <= 13
    assert refusal.json()["type"] == "/problems/rate-limited"
    assert refusal.json()["status"] == 429
    assert refusal.json()["request_id"] == refusal.headers["x-request-id"]


async def test_routes_that_do_not_exist_count_too(browser):
    assert await statuses(browser, f"/{token_hex()}", 6) == [404] * 5 + [429]


async def test_health_is_always_answered(browser):
    await statuses(browser, "/open", 6)

    assert await statuses(browser, "/health/live", 10) == [200] * 10


async def test_another_address_is_not_refused(browser, small_app):
    await statuses(browser, "/open", 6)

    async with new_client(small_app) as other:
        assert await statuses(other, "/open", 1) == [200]


@pytest.mark.asvs("15.3.4")
async def test_behind_our_proxy_the_client_is_limited_and_not_the_proxy(browser):
    site = f"2001:db8:{token_hex(2)}"
    proxied = [{"X-Forwarded-For": f"{site}:{n}::1"} for n in (7, 8)]

    first = [(await browser.get("/open", headers=proxied[0])).status_code for _ in range(6)]
    second = await browser.get("/open", headers=proxied[1])

    assert first[-1] == 429
    assert second.status_code == 200


async def test_a_forged_forwarded_address_is_no_fresh_start(browser):
    """Only the last entry is believed: our own proxy wrote it."""
    mine = f"2001:db8:{token_hex(2)}::1"

    forged = [{"X-Forwarded-For": f"203.0.113.{n}, {mine}"} for n in range(6)]
    codes = [(await browser.get("/open", headers=one)).status_code for one in forged]

    assert codes == [200] * 5 + [429]


async def test_a_route_of_its_own_limit_counts_by_form_field(browser):
    mail = f"ada.{token_hex()}@example.com"

    assert await statuses(browser, "/by-form", 2, data={"email": mail}) == [200, 200]
    assert await statuses(browser, "/by-form", 1, data={"email": mail.upper()}) == [429]
    assert await statuses(browser, "/by-form", 1, data={"email": "x" + mail}) == [200]


async def test_a_route_of_its_own_limit_counts_by_json_field(browser):
    mail = f"ada.{token_hex()}@example.com"

    assert await statuses(browser, "/by-json", 3, json={"email": mail}) == [200, 200, 429]


async def test_a_person_has_one_budget_in_all_browsers(small_app, monkeypatch):
    monkeypatch.setattr("app.access.roles.granted", lambda role: frozenset({"test.use"}))
    ada, eve = await make_user(password=False), await make_user(password=False)

    async def codes(someone: Someone) -> list[int]:
        async with new_client(small_app) as browser:
            return await statuses(await sign_in(browser, someone), "/by-person", 2)

    assert [await codes(ada), await codes(ada)] == [[200, 200], [429, 429]]
    assert await codes(eve) == [200, 200]


async def test_the_whole_app_is_behind_the_limit(configure):
    from app.main import create_app

    configure(LIMITS_ADDRESS_PER_MINUTE=3)
    async with new_client(create_app()) as browser:
        codes = await statuses(browser, "/api/openapi.json", 4)

    assert codes[-1] == 429
    assert 429 not in codes[:3]
