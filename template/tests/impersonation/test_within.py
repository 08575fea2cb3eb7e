"""What an administrator can do as someone else, and that all of it bears both names."""

import csv
import io
import re
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.access.access import Access, markers, routes
from app.access.forgery import SESSION_COOKIE
from app.access.roles import always, closed_to_keys, granted
from app.audit.verification import verify
from app.core import db
from tests.factories import make_user, set_policy, sign_in
from tests.impersonation.conftest import begin, cookie, work_as

# All that concerns the account itself and is open: to see who one is, and to end it.
OPEN = {
    "GET /api/me",
    "GET /api/organization",
    "POST /api/auth/sign-out",
    "POST /sign-out",
}
# What must be closed, whatever routes say of themselves.
GUARDED = re.compile(
    r"^(?!GET )\S+ (/api/(me|auth|passkeys|account|sso|keys|organizations|roles|users|invitations"
    r"|organization|scim)|/account|/confirm|/organizations|/admin)"
)


@pytest.fixture
async def as_ada(office):
    """The administrator's browser, working as a member."""
    admin, his, ada, hers = office
    await work_as(his, ada)
    return admin, his, ada, hers


def calls(app):
    for route in routes(app):
        asks = [one for one in markers(route) if isinstance(one, Access)]
        for method in sorted((route.methods or set()) - {"HEAD"}):
            if asks:
                yield f"{method} {route.path}", asks


@pytest.mark.asvs("7.5.1", "8.2.1")
async def test_what_guards_the_account_is_closed(app, as_ada):
    """The route table, walked: open is only what a member may with others' things closed."""
    _, his, _, _ = as_ada
    token, csrf = cookie(his), his.headers["X-CSRF-Token"]
    wrong, closed = [], 0
    for name, asks in calls(app):
        method, path = name.split()
        if name in OPEN or any(one.level == "pending" for one in asks):
            continue
        may = all(
            one.permission in granted("member") - closed_to_keys() and not one.recent
            for one in asks
        )
        answer = await his.request(
            method, re.sub(r"{[^}]+}", lambda _: str(uuid4()), path), headers={"Accept": "*/*"}
        )
        kind = answer.headers.get("content-type", "")
        told = answer.json()["type"] if kind.startswith("application/problem+json") else ""
        refused = answer.status_code == 403 and told in {
            "/problems/not-while-impersonating",
            "/problems/not-permitted",
        }
        closed += refused
        if refused == may or (GUARDED.match(name) and not refused):
            wrong.append((name, answer.status_code, told))
        his.cookies.set(SESSION_COOKIE, token, domain="testserver.local", path="/")
        his.headers["X-CSRF-Token"] = csrf
    assert wrong == []
    assert closed > 50


def test_only_these_routes_of_the_account_are_marked_open(app):
    marked = {name for name, asks in calls(app) if any(one.impersonated for one in asks)}
    assert marked == OPEN & {name for name, _ in calls(app)}
    for name, asks in calls(app):
        assert not any(one.impersonated and one.recent for one in asks), name


async def test_rights_of_the_account_are_not_among_the_permissions(as_ada):
    _, his, _, hers = as_ada
    theirs = set((await his.get("/api/me")).json()["permissions"])
    own = set((await hers.get("/api/me")).json()["permissions"])
    assert theirs == own - closed_to_keys()
    assert not theirs & (always() | {"api_keys.use", "people.impersonate"})


async def test_it_cannot_be_nested(as_ada):
    _, his, ada, _ = as_ada
    other = await make_user(ada.organization_id)
    assert (await begin(his, other)).status_code == 403


async def test_the_database_opens_none_within_another(as_ada):
    """The same wall once more, where a bug of ours could not take it down."""
    _, _, ada, _ = as_ada
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "INSERT INTO sessions SELECT gen_random_uuid(), now(), sha256('nested'),"
                " organization_id, user_id, level, second_factor, method, factor,"
                " authenticated_at, last_seen_at, idle_seconds, expires_at, address, user_agent,"
                " device, revoked_at, id FROM sessions WHERE impersonator_session_id IS NOT NULL"
                " AND user_id = :u"
            ),
            {"u": ada.user_id},
        )
        opened = await session.execute(text("SELECT * FROM open_session(sha256('nested'))"))
        assert opened.all() == []


async def test_the_administrators_second_factor_counts(office, new_browser):
    """Where one is asked for: hers is not at hand, and his is what he proved."""
    admin, his, ada, _ = office
    await set_policy(ada.organization_id, second_factor="admins")
    await sign_in(his, admin, second_factor=True)
    await work_as(his, ada)
    assert (await his.get("/api/usage")).status_code == 200
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE sessions SET second_factor = false WHERE user_id = :u"),
            {"u": admin.user_id},
        )
    refused = await his.get("/api/usage")
    assert refused.json()["type"] == "/problems/second-factor-required"


@pytest.mark.asvs("16.2.1")
async def test_every_event_bears_both_names(as_ada, new_browser):
    admin, his, ada, _ = as_ada
    async with db.transaction(organization_id=ada.organization_id) as session:
        [started] = await session.execute(
            text("SELECT user_id, on_behalf_of, detail FROM audit_events WHERE action = :a"),
            {"a": "impersonation.started"},
        )
    assert (started.user_id, started.on_behalf_of) == (admin.user_id, ada.user_id)
    assert started.detail["minutes"] == 30
    await his.post("/api/auth/sign-out")
    async with new_browser() as auditor:
        await sign_in(auditor, await make_user(ada.organization_id, role="admin"))
        for person in (admin, ada):
            found = await auditor.get(f"/api/audit?person={person.user_id}&action=session.ended")
            [event] = found.json()["events"]
            assert event["user_id"] == str(admin.user_id)
            assert event["on_behalf_of"] == str(ada.user_id)
            assert event["session_id"] == started.detail["session"]
        exported = await auditor.get("/api/audit/export?action=session.ended")
        [row] = csv.DictReader(io.StringIO(exported.text))
        assert (row["user_id"], row["on_behalf_of"]) == (str(admin.user_id), str(ada.user_id))


@pytest.mark.asvs("16.4.2")
async def test_whom_it_was_done_as_is_part_of_the_sealed_chain(as_ada, database):
    import psycopg

    _, _, ada, _ = as_ada
    async with db.transaction(elevated=True, organization_id=ada.organization_id) as session:
        assert (await verify(session, ada.organization_id)).sound
    with psycopg.connect(database.admin, autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(
            "UPDATE audit_events SET on_behalf_of = NULL"
            " WHERE organization_id = %s AND action = 'impersonation.started'",
            [ada.organization_id],
        )
    async with db.transaction(elevated=True, organization_id=ada.organization_id) as session:
        assert not (await verify(session, ada.organization_id)).sound


async def test_it_does_not_make_the_administrators_browser_a_known_one(as_ada):
    _, _, ada, _ = as_ada
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "UPDATE sessions SET address = '192.0.2.7', user_agent = 'His' WHERE user_id = :u"
                " AND impersonator_session_id IS NOT NULL"
            ),
            {"u": ada.user_id},
        )
        strange = await session.scalar(
            text("SELECT is_strange(:u, '192.0.2.7', 'His')"), {"u": ada.user_id}
        )
    assert strange


async def test_administrators_see_that_a_session_is_one(as_ada, new_browser):
    _, _, ada, _ = as_ada
    async with new_browser() as other:
        await sign_in(other, await make_user(ada.organization_id, role="admin"))
        found = (await other.get(f"/api/auth/users/{ada.user_id}/sign-ins")).json()["sessions"]
    assert sorted(one["impersonated"] for one in found) == [False, True]
