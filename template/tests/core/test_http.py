"""What holds for every request."""

import asyncio

import httpx2
import psycopg
import pytest
from fastapi import APIRouter, FastAPI
from opentelemetry import trace
from sqlalchemy.exc import OperationalError

from app.access.access import UnguardedRoute, public, refuse_unguarded
from app.core import health, problems, revisions
from app.core.middleware import BodyLimit, RequestContext, SecurityHeaders
from app.core.settings import get_settings


@pytest.mark.asvs("3.2.1", "3.4.1", "3.4.3", "3.4.4", "3.4.5", "3.4.6", "4.1.1", "14.2.2", "14.3.2")
async def test_every_answer_carries_the_headers_that_protect_it(client):
    headers = (await client.get("/api/me")).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cache-control"] == "no-store"
    assert headers["strict-transport-security"].startswith("max-age=63072000")
    assert headers["referrer-policy"]


async def test_a_problem_is_told_as_rfc_9457_has_it(client):
    response = await client.get("/api/me")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() | {"request_id": "-"} == {
        "type": "/problems/sign-in-first",
        "title": "Unauthorized",
        "status": 401,
        "detail": "Sign in first.",
        "request_id": "-",
    }


async def test_an_unknown_path_and_a_wrong_method_are_problems_too(client):
    missing = await client.get("/api/nothing-here")
    assert (missing.status_code, missing.json()["status"]) == (404, 404)
    wrong = await client.delete("/health/live")
    assert (wrong.status_code, wrong.json()["status"]) == (405, 405)


@pytest.mark.asvs("16.5.1")
async def test_what_was_refused_is_not_echoed(client):
    form = {"email": "marked", "password": "hunter2-hunter2", "display_name": "x"}
    response = await client.post("/api/auth/sign-up", json=form)
    assert response.status_code == 422
    assert set(response.json()["errors"]) == {"email"}
    assert "hunter2" not in response.text
    assert "marked" not in response.text


@pytest.mark.asvs("2.2.1", "2.2.2", "15.3.5")
@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe", b"{", b"[" * 5000, b'{"email": "\\ud800@example.com"}', b'{"email": "a\\u0000"}'],
)
async def test_junk_gets_a_clear_refusal_and_never_a_500(client, body):
    response = await client.post(
        "/api/auth/sign-in", content=body, headers={"content-type": "application/json"}
    )
    assert response.status_code in {400, 401, 422}, response.text


@pytest.mark.asvs("1.3.3")
async def test_characters_that_cannot_be_stored_are_refused(client):
    form = {"email": "a@example.com", "password": "x" * 20, "display_name": "Ada \x00 Lovelace"}
    assert (await client.post("/api/auth/sign-up", json=form)).status_code == 422


@pytest.mark.asvs("15.2.2")
async def test_a_body_over_the_limit_is_refused_whether_or_not_it_tells_its_length(client):
    large = b"x" * (get_settings().body_limit_bytes + 1)
    told = await client.post("/api/auth/sign-in", content=large)

    async def pieces():
        for start in range(0, len(large), 65_536):
            yield large[start : start + 65_536]

    untold = await client.post("/api/auth/sign-in", content=pieces())
    assert (told.status_code, untold.status_code) == (413, 413)


@pytest.mark.asvs("16.5.1")
async def test_an_unexpected_error_leaves_nothing_but_a_request_id():
    app = FastAPI()
    router = APIRouter()

    @router.get("/broken", dependencies=[public()])
    async def broken() -> None:
        raise RuntimeError("the password of the database is hunter2")

    app.include_router(router)
    problems.install(app)
    settings = get_settings()
    for layer in (BodyLimit, SecurityHeaders, RequestContext):
        app.add_middleware(layer, settings=settings)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="https://testserver") as browser:
        response = await browser.get("/broken")
    assert response.status_code == 500
    assert "hunter2" not in response.text
    assert response.json()["request_id"] == response.headers["x-request-id"]


def test_a_route_that_does_not_say_who_may_call_it_stops_the_start():
    app = FastAPI()
    router = APIRouter()

    @router.get("/forgotten")
    async def forgotten() -> None: ...

    app.include_router(router)
    with pytest.raises(UnguardedRoute, match="/forgotten"):
        refuse_unguarded(app)


@pytest.mark.asvs("4.1.3", "15.3.4")
@pytest.mark.parametrize(
    ("proxies", "header", "seen"),
    [
        (0, "203.0.113.9", "10.9.9.9"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.1, 203.0.113.9", "198.51.100.1"),
        (2, "203.0.113.9", "10.9.9.9"),
    ],
)
async def test_only_counted_proxies_are_believed_about_the_address(
    configure, proxies, header, seen
):
    configure(TRUSTED_PROXIES=proxies)
    found = {}

    async def app(scope, receive, send):
        found["address"] = scope["client"][0]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    transport = httpx2.ASGITransport(RequestContext(app, get_settings()), client=("10.9.9.9", 1))
    async with httpx2.AsyncClient(transport=transport, base_url="https://testserver") as browser:
        await browser.get("/", headers={"x-forwarded-for": header})
    assert found["address"] == seen


@pytest.mark.asvs("4.1.3")
async def test_a_stranger_does_not_choose_the_request_id(client):
    response = await client.get("/health/live", headers={"x-request-id": "chosen-by-a-stranger"})
    assert response.headers["x-request-id"] != "chosen-by-a-stranger"


async def test_health_tells_what_failed_without_saying_why(client, monkeypatch):
    monkeypatch.setattr(health, "_last", {})
    # Other tests leave jobs that nobody takes; some minutes later that would be told.
    monkeypatch.setattr("app.jobs.health.LATE", 10_000)
    good = await client.get("/health/ready")
    assert (good.status_code, good.json()["status"]) == (200, "ok")

    monkeypatch.setattr(health, "_last", {})
    monkeypatch.setattr(revisions, "behind", lambda _: ["users"])
    bad = await client.get("/health/ready")
    assert (bad.status_code, bad.json()["checks"]["database"]) == (503, "failed")
    assert "users" not in bad.text
    assert (await client.get("/health/live")).status_code == 200


async def test_many_who_look_at_once_cost_one_look(client, monkeypatch):
    monkeypatch.setattr(health, "_last", {})
    database, looks = health.database, []

    async def counted():
        looks.append(1)
        await database()

    monkeypatch.setattr(health, "database", counted)
    said = await asyncio.gather(*(client.get("/health/ready") for _ in range(8)))
    assert {one.status_code for one in said} == {200}
    assert len(looks) == 1


async def test_without_its_mail_server_the_app_is_degraded_and_stays_in_service(
    client, monkeypatch, configure
):
    monkeypatch.setattr(health, "_last", {})
    configure(MAIL_BACKEND="smtp", MAIL_HOST="127.0.0.1", MAIL_PORT="9")
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"]["mail"] == "failed"


@pytest.mark.asvs("16.5.2")
async def test_without_its_model_the_app_is_degraded_and_stays_in_service(
    client, monkeypatch, configure
):
    monkeypatch.setattr(health, "_last", {})
    configure(LLM_PROVIDER="compatible", LLM_BASE_URL="http://127.0.0.1:9/v1", LLM_MODEL="m")
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["checks"]["llm"]) == (200, "failed")


def test_a_full_disk_is_told_as_something_that_passes():
    full = psycopg.errors.DiskFull("no space left on a path that nobody is told")

    for error in (full, OperationalError("INSERT", {}, full)):
        problem = problems.as_problem(error)
        assert problem.status == 503
        assert "path" not in problem.detail


async def test_the_framework_makes_no_spans_of_its_own_which_would_hold_paths(client, monkeypatch):
    asked = []

    class Provider(trace.TracerProvider):
        def get_tracer(self, name, *_, **__):
            asked.append(name)
            return trace.NoOpTracer()

    monkeypatch.setattr(trace, "get_tracer_provider", Provider)

    await client.get("/api/me")

    assert asked == []
