"""Small promises of the security standard that no other test has a reason to look at."""

import math
import os
import re
import secrets
import subprocess
import sys

import psycopg
import pytest
from sqlalchemy import text

from app.access.access import Access, markers, routes
from app.auth import passwords, recovery_codes
from app.core import database_roles, db
from tests.factories import make_organization, make_user, sign_in


@pytest.mark.asvs("3.4.2")
async def test_no_other_site_is_let_in_to_read(client):
    await sign_in(client, await make_user())
    foreign = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    for path in ("/api/me", "/api/openapi.json", "/health/live", "/api/nowhere"):
        answer = await client.get(path, headers=foreign)
        asked = await client.request(
            "OPTIONS", path, headers=foreign | {"Access-Control-Request-Method": "PUT"}
        )
        for one in (answer, asked):
            assert not [name for name in one.headers if name.startswith("access-control-")], path


@pytest.mark.asvs("13.4.4")
async def test_nobody_is_shown_what_a_server_received(client):
    for path in ("/", "/api/me", "/static/app.css", "/nowhere"):
        answer = await client.request("TRACE", path, headers={"X-Secret": "marker"})
        assert answer.status_code in {404, 405}
        assert "marker" not in answer.text


@pytest.mark.asvs("5.4.2")
async def test_an_export_has_a_name_of_ours(client):
    await sign_in(client, await make_user(role="admin"))
    named = await client.get('/api/audit/export?action=a"%0d%0aX-Evil: 1')
    plain = await client.get("/api/audit/export")
    for answer in (named, plain):
        assert "x-evil" not in answer.headers
    assert re.fullmatch(r'attachment; filename="[\w.-]+"', plain.headers["content-disposition"])


@pytest.mark.parametrize(
    "password",
    [
        "onlysmalllettersmanyofthem",
        "28371 95274 01836",
        "ドラゴンの背中に乗って山を越える",
        "  spaces all around it, too  ",
        "x" * 3 + "every sign counts, " * 50,
    ],
)
@pytest.mark.asvs("6.2.5", "6.2.9")
async def test_a_password_may_be_made_of_anything_and_be_long(client, password):
    passwords.check(password)
    ada = await make_user(password=password)
    # Neither cut nor changed: with its last character missing it is another one.
    for given, status in ((password[:-1], 401), (password, 200)):
        answer = await client.post(
            "/api/auth/sign-in", json={"email": ada.email, "password": given}
        )
        assert answer.status_code == status


@pytest.mark.dear
@pytest.mark.asvs("6.2.10")
async def test_a_password_does_not_run_out(client):
    ada = await make_user()
    async with db.transaction(elevated=True) as session:
        for table, column in (("passwords", "user_id"), ("users", "id")):
            await session.execute(
                text(f"UPDATE {table} SET created_at = now() - interval '9 y' WHERE {column} = :u"),
                {"u": ada.user_id},
            )
    given = {"email": ada.email, "password": ada.password}
    answer = await client.post("/api/auth/sign-in", json=given)
    assert (answer.status_code, answer.json()["level"]) == (200, "full")


@pytest.mark.asvs("6.5.2")
async def test_recovery_codes_are_too_long_to_guess(auth_db):
    """So that a digest is enough for them; with less than 112 bits it would not be."""
    ada = await make_user()
    made = [code for _ in range(20) for code in await recovery_codes.make(auth_db, ada.user_id)]
    assert len(set(made)) == len(made)
    letters = [code.replace("-", "") for code in made]
    # Each place takes every letter sooner or later, none stands still.
    alphabet = set("".join(letters))
    assert min(len(set(place)) for place in zip(*letters, strict=True)) > len(alphabet) / 2
    assert min(map(len, letters)) * math.log2(len(alphabet)) >= 112


@pytest.mark.asvs("6.3.2")
def test_a_new_database_has_no_account(database):
    name = f"new_{secrets.token_hex(4)}"
    database_roles.create_database(database.admin, name)
    try:
        urls = database.of(name)
        words = [sys.executable, "-c", "from app.cli import main; main()", "db", "upgrade"]
        told = {"DATABASE_URL": urls.app, "DATABASE_OWNER_URL": urls.owner}
        subprocess.run(words, env=os.environ | told, check=True, capture_output=True)
        with psycopg.connect(urls.admin) as admin:
            for table in ("users", "memberships", "organizations", "sessions"):
                assert admin.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
    finally:
        database_roles.drop_database(database.admin, name)


@pytest.mark.asvs("16.3.2", "16.3.3")
async def test_what_is_refused_leaves_a_line(client, capsys, caplog):
    await sign_in(client, await make_user())
    with caplog.at_level("INFO"):
        refused = await client.get("/api/audit")
        forged = await client.patch(
            "/api/me", json={"display_name": "Eve"}, headers={"X-CSRF-Token": "forged"}
        )
        invalid = await client.patch("/api/me", json={"display_name": ""})
    assert [refused.status_code, forged.status_code, invalid.status_code] == [403, 403, 422]
    lines = [one.msg for one in caplog.records if isinstance(one.msg, dict)]
    told = {(one.get("route"), one.get("status")) for one in lines}
    assert {("/api/audit", 403), ("/api/me", 403), ("/api/me", 422)} <= told


@pytest.mark.asvs("16.3.1")
async def test_each_end_of_a_sign_in_is_in_the_audit_log(client):
    organization = await make_organization()
    ada = await make_user(organization)
    await client.post("/api/auth/sign-in", json={"email": ada.email, "password": "wrong"})
    good = await client.post(
        "/api/auth/sign-in", json={"email": ada.email, "password": ada.password}
    )
    client.headers["X-CSRF-Token"] = good.json()["csrf_token"]
    assert (await client.post("/api/auth/sign-out")).status_code == 204
    async with db.transaction(organization_id=organization.id) as session:
        rows = await session.execute(
            text("SELECT action, user_id FROM audit_events ORDER BY sequence")
        )
    actions = [row.action for row in rows if row.user_id == ada.user_id]
    assert actions == ["sign-in.failed", "session.started", "session.ended"]


@pytest.mark.asvs("15.3.1")
async def test_every_answer_of_the_api_has_a_declared_shape(app):
    document = app.openapi()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                for kind, content in answer.get("content", {}).items():
                    assert content.get("schema") not in (None, {}), (path, method, status, kind)


@pytest.mark.asvs("7.4.4")
async def test_every_page_of_someone_signed_in_has_the_way_out(app, client):
    await sign_in(client, await make_user(role="admin"))
    seen = 0
    for route in routes(app):
        asks = [one for one in markers(route) if isinstance(one, Access)]
        if "GET" not in (route.methods or ()) or not asks or "{" in route.path:
            continue
        if asks[0].level != "full" or route.path.startswith(("/api/", "/dev/", "/scim/")):
            continue
        answer = await client.get(route.path, headers={"Accept": "text/html"})
        if answer.status_code == 200 and "<html" in answer.text:
            seen += 1
            assert "/sign-out" in answer.text, route.path
    pages = [one for one in routes(app) if one.path == "/account"]
    assert seen > 5 or not pages
