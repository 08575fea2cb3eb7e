"""Requests that no honest browser or proxy sends."""

import re
from uuid import uuid4

import httpx2
import pytest

from app.access.access import routes
from app.core.middleware import RequestContext
from app.core.settings import get_settings
from tests.factories import make_user, sign_in


async def test_the_api_describes_itself(client):
    found = await client.get("/api/openapi.json")
    assert found.status_code == 200
    assert "/api/auth/sign-in" in found.json()["paths"]


def _parameters(dependant):
    yield from (parameter.alias for parameter in dependant.query_params)
    for one in dependant.dependencies:
        yield from _parameters(one)


STRANGE = [
    "%00",
    "%ED%A0%80",
    "-1",
    "9" * 24,
    "1e400",
    "0001-01-01",
    "9999-12-31",
    "9999-12-31T23:59:59-14:00",
    "%0d%0aX-Evil:1",
]


@pytest.mark.dear
@pytest.mark.asvs("1.2.4", "1.4.2", "2.2.1")
async def test_no_parameter_of_any_route_makes_it_fail(app, new_browser):
    someone, found = await make_user(role="admin"), []
    for route in routes(app):
        if "GET" not in (route.methods or ()) or route.path == "/health/ready":
            continue
        if route.path.startswith("/scim/"):
            continue  # without a directory's token no parameter is looked at
        path = re.sub(r"{[^}]+}", str(uuid4()), route.path)
        addresses = [
            f"{path}?{name}={value}" for name in _parameters(route.dependant) for value in STRANGE
        ]
        if "{" in route.path:
            addresses += [re.sub(r"{[^}]+}", value, route.path) for value in STRANGE]
        async with new_browser() as browser:  # each with an address, and so a limit, of its own
            await sign_in(browser, someone)
            for address in addresses:
                answer = await browser.get(address)
                if answer.status_code in {429, *range(500, 600)} or "x-evil" in answer.headers:
                    found.append((address, answer.status_code))
    assert found == []


@pytest.mark.asvs("1.1.1")
@pytest.mark.parametrize("encoding", ["unicode_escape", "undefined"])
async def test_a_form_in_a_strange_encoding_is_refused_and_never_a_500(client, encoding):
    await client.get("/api/auth/session")  # from now on the token is looked for in the form
    part = b'--x\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n\\ud800\r\n--x--\r\n'
    kind = f"multipart/form-data; boundary=x; charset={encoding}"
    response = await client.post("/api/auth/sign-in", content=part, headers={"content-type": kind})
    assert response.status_code in {400, 403, 422}, response.text


@pytest.mark.asvs("1.4.2")
async def test_a_length_of_thousands_of_digits_is_refused(client):
    response = await client.post(
        "/api/auth/sign-in", content=b"x", headers={"content-length": "9" * 5000}
    )
    assert response.status_code == 413


@pytest.mark.parametrize(
    ("hop", "seen"),
    [
        # Azure's gateway writes the port, which is another one each time.
        ("203.0.113.9:40123", "203.0.113.9"),
        ("[2001:db8::9]:40123", "2001:db8::9"),
        ("2001:db8::9", "2001:db8::9"),
        ("unknown", "10.9.9.9"),
        ("", "10.9.9.9"),
    ],
)
async def test_what_a_proxy_writes_beside_the_address_is_no_new_address(configure, hop, seen):
    configure(TRUSTED_PROXIES=1)
    found = []

    async def app(scope, receive, send):
        found.append(scope["client"][0])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    transport = httpx2.ASGITransport(RequestContext(app, get_settings()), client=("10.9.9.9", 1))
    async with httpx2.AsyncClient(transport=transport, base_url="https://testserver") as browser:
        await browser.get("/", headers={"x-forwarded-for": hop})
    assert found == [seen]
