"""Requests that no honest browser or proxy sends."""

import httpx2
import pytest

from app.core.middleware import RequestContext
from app.core.settings import get_settings


@pytest.mark.parametrize("encoding", ["unicode_escape", "undefined"])
async def test_a_form_in_a_strange_encoding_is_refused_and_never_a_500(client, encoding):
    await client.get("/api/auth/session")  # from now on the token is looked for in the form
    part = b'--x\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n\\ud800\r\n--x--\r\n'
    kind = f"multipart/form-data; boundary=x; charset={encoding}"
    response = await client.post("/api/auth/sign-in", content=part, headers={"content-type": kind})
    assert response.status_code in {400, 403, 422}, response.text


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
