"""What another site, a sly form or an odd client tries at the surface that browsers see."""

import asyncio
import http.client
import re
from urllib.parse import urlsplit

import pytest

from app.access.access import routes
from app.access.forgery import SESSION_COOKIE
from tests.factories import make_user, sign_in

EVERY_ANSWER = {
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "strict-transport-security": "max-age=63072000; includeSubDomains",
}


@pytest.fixture
async def ada(client):
    someone = await make_user(role="admin")
    await sign_in(client, someone)
    return someone


async def name_of(client):
    return (await client.get("/api/me")).json()["display_name"]


@pytest.mark.asvs("3.2.1", "3.4.1", "3.4.3", "3.4.4", "3.4.5", "3.4.6", "14.3.2")
async def test_no_route_and_no_refusal_is_without_its_headers(app, client, ada):
    paths = {re.sub(r"{[^}]+}", "x", route.path) for route in routes(app) if route.path}
    paths |= {"/", "/nowhere", "/static/app.css", "/static/nothing.js", "/%2e%2e/etc/passwd"}
    for path in sorted(paths - {"/health/ready"}):
        for method in ("GET", "OPTIONS", "BREW"):
            answer = await client.request(method, path)
            headers = answer.headers
            assert {name: headers.get(name) for name in EVERY_ANSWER} == EVERY_ANSWER, path
            assert headers["referrer-policy"] in {"same-origin", "no-referrer"}, path
            rules = dict(
                rule.strip().split(" ", 1) for rule in headers["content-security-policy"].split(";")
            )
            wanted = {"default-src", "base-uri", "frame-ancestors"}
            assert {rules[name] for name in wanted} == {"'none'"}, path
            assert "unsafe" not in headers["content-security-policy"], path
            if not path.startswith("/static/"):
                assert headers["cache-control"] == "no-store", path


@pytest.mark.asvs("3.4.3")
async def test_a_nonce_is_never_used_twice_and_every_script_has_it(client, ada):
    seen = []
    for path in ["/account", "/account/security", "/admin/users", "/nowhere"] * 2:
        answer = await client.get(path, headers={"Accept": "text/html"})
        if "text/html" not in answer.headers["content-type"]:
            continue  # a project without pages
        [nonce] = re.findall(r"script-src 'nonce-([\w-]{22})'", answer.headers[CSP])
        assert set(re.findall(r"<script[^>]*>", answer.text)) == {
            tag for tag in re.findall(r"<script[^>]*>", answer.text) if f'nonce="{nonce}"' in tag
        }
        seen.append(nonce)
    assert len(set(seen)) == len(seen)


CSP = "content-security-policy"
EVIL = "evil.example"
CHANGE = {"display_name": "Eve"}


@pytest.mark.asvs("3.5.1", "3.5.3")
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "Same-Origin"},
        {"Sec-Fetch-Site": ""},
        {"Origin": "https://evil.example"},
        {"Origin": "http://testserver"},
        {"Origin": "https://testserver.evil.example"},
        {"Origin": "https://testserver:8443"},
        {"Origin": "https://sub.testserver"},
        {"Origin": "null", "Sec-Fetch-Site": "none"},
        {"Origin": ""},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "0" * 64},
    ],
)
async def test_a_change_from_elsewhere_is_refused_even_with_the_token(client, ada, headers):
    before = await name_of(client)
    refused = await client.patch("/api/me", json=CHANGE, headers=headers)
    assert refused.status_code == 403
    assert await name_of(client) == before


@pytest.mark.asvs("3.5.1", "3.5.3")
@pytest.mark.parametrize(
    "twice",
    [
        [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")],
        [("Origin", "https://testserver"), ("Origin", "https://evil.example")],
        [("X-CSRF-Token", "right"), ("X-CSRF-Token", "forged")],
    ],
)
async def test_headers_that_say_two_things_are_refused(client, ada, twice):
    before, token = await name_of(client), client.headers.pop("X-CSRF-Token")
    del client.headers["Sec-Fetch-Site"]
    sent = [("X-CSRF-Token", token)] if twice[0][0] != "X-CSRF-Token" else []
    sent += [(name, token if value == "right" else value) for name, value in twice]
    refused = await client.patch("/api/me", json=CHANGE, headers=sent)
    client.headers["X-CSRF-Token"] = token
    assert refused.status_code == 403
    assert await name_of(client) == before


@pytest.mark.asvs("3.5.3")
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "x/y", ""])
async def test_what_a_form_of_another_site_can_send_is_not_read_as_json(client, ada, kind):
    """Such a request needs no permission from us to be sent; here it even brings the cookie."""
    del client.headers["X-CSRF-Token"], client.headers["Sec-Fetch-Site"]
    before = await name_of(client)
    refused = await client.patch(
        "/api/me", content=b'{"display_name": "Eve"}', headers={"Content-Type": kind}
    )
    assert refused.status_code in {403, 422}
    assert await name_of(client) == before


@pytest.mark.asvs("3.5.3", "4.1.3")
@pytest.mark.parametrize(
    "header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-Method"]
)
async def test_the_method_is_the_one_of_the_request(client, ada, header):
    read = await client.get("/api/me", headers={header: "DELETE"}, params={"_method": "DELETE"})
    assert read.status_code == 200
    written = await client.post(
        "/api/me", data={"_method": "PATCH"}, headers={header: "PATCH"}, params={"_method": "PATCH"}
    )
    assert written.status_code in {403, 405}


@pytest.mark.asvs("4.1.3")
@pytest.mark.parametrize("header", ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Path"])
async def test_the_path_is_the_one_of_the_request(client, header):
    answer = await client.get("/health/live", headers={header: "/api/me"})
    assert answer.status_code == 200
    answer = await client.get("/api/me", headers={header: "/health/live"})
    assert answer.status_code == 401


async def ask(address, method, path, headers=()):
    def send():
        where = urlsplit(address)
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.putheader("Connection", "close")
        connection.endheaders()
        answer = connection.getresponse()
        try:
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    return await asyncio.to_thread(send)


@pytest.mark.asvs("3.7.2")
@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "//evil.example/",
        "//evil.example/sign-in/",
        "///evil.example/%2e%2e",
        "/\\evil.example/",
        "/%5cevil.example/",
        "/%2f%2fevil.example/",
        "/sign-in/",
        "/sign-in//",
        "//sign-in",
        "/account/%2e%2e//evil.example/",
    ],
)
async def test_no_path_leads_to_another_site(live_server, path):
    """Over a real socket: clients tidy such paths up before they send them."""
    for page in ("text/html", "*/*"):
        sent = [("Host", "testserver"), ("Accept", page)]
        status, headers, _ = await ask(live_server, "GET", path, sent)
        target = headers.get("location", "/")
        assert target.startswith("/")
        assert not target.replace("\\", "/").startswith("//")
        assert status < 500


@pytest.mark.asvs("3.7.2", "4.1.3")
async def test_the_name_that_a_client_gives_the_host_appears_nowhere(live_server):
    """Links in mails and redirects follow the setting, whatever a stranger calls us."""
    for path in ("/", "/sign-in", "/account", "/api/me", "/nowhere", "/api/openapi.json"):
        sent = [
            ("Host", "evil.example"),
            ("Accept", "text/html"),
            ("X-Forwarded-Host", "evil.example"),
        ]
        _, headers, body = await ask(live_server, "GET", path, sent)
        assert EVIL not in str(headers), path
        assert EVIL.encode() not in body, path


@pytest.mark.asvs("3.3.1", "7.2.1")
async def test_a_session_counts_under_its_own_name_only(app, client, ada, live_server):
    token = client.cookies[SESSION_COOKIE]

    async def status(*cookies):
        sent = [("Host", "testserver"), *(("Cookie", one) for one in cookies)]
        return (await ask(live_server, "GET", "/api/me", sent))[0]

    assert await status(f"{SESSION_COOKIE}={token}") == 200
    for name in (
        "session",
        "__Secure-session",
        "__host-session",
        " __Host-session ",
        "x__Host-session",
    ):
        if name.strip() != SESSION_COOKIE:
            assert await status(f"{name}={token}") == 401, name
    # Of two of one name none may win that a neighbouring host could have planted.
    assert await status(f"{SESSION_COOKIE}=planted; {SESSION_COOKIE}={token}") in {200, 401}
    assert await status(f"{SESSION_COOKIE}={token}\x00") in {400, 401}
    assert await status(f"{SESSION_COOKIE}={token[:-1]}") == 401
