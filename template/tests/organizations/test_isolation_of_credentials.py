"""The walk through two full organisations once more, with what else opens one: a directory's
token, the session of who works as somebody, a program's token.
"""

import json
import re

import psycopg
import pytest

from app.access.access import routes
from tests.factories import PASSWORD, make_user
from tests.organizations.marked import state
from tests.organizations.test_isolation import (
    _app,
    _elsewhere,
    change_everything,
    read_everything,
)
from tests.organizations.test_isolation import two as two

SOME = {
    "users", "roles", "conversations", "messages", "usage_records", "feedback", "api_keys",
    "documents", "scim_users", "scim_groups", "scim_tokens", "sessions", "invitations",
}  # fmt: skip
SCHEMAS = "urn:ietf:params:scim:schemas:core:2.0:"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def some(two):
    """Ids over there that routes take; the session of a browser is shown every one."""
    return {two.there.last[name] for name in SOME & two.there.last.keys()}


def few(two):
    return {two.there.last[name] for name in ("users", "roles", "conversations", "api_keys")}


def of_directories(client):
    return [one for one in routes(_app(client)) if one.path.startswith("/scim/v2/")]


def asked(two, email):
    """Every way to ask a list for something of the other place, and what was asked with it."""
    for one in sorted(map(str, some(two))):
        yield {"filter": f'id eq "{one}"'}, one
        yield {"cursor": one, "startCursor": one, "after": one}, one
    for word in (email, two.there.mark, f"{two.there.mark} member"):
        for name in ("userName", "emails.value", "externalId", "displayName"):
            yield {"filter": f'{name} eq "{word}"'}, None
    for start in (1, 2, 3, 1000):
        yield {"startIndex": start, "count": 1000, "attributes": "members,emails,groups"}, None


async def read_as_directory(client, two, email, **headers):
    shown, answered = [], 0
    for route in of_directories(client):
        if "GET" not in route.methods:
            continue
        wanted = [(None, str(one)) for one in sorted(some(two))] if "{" in route.path else []
        for params, one in wanted or asked(two, email):
            _elsewhere(client)
            path = re.sub(r"{[^}]+}", one or "", route.path)
            answer = await client.get(path, params=params, headers=headers)
            assert answer.status_code != 429
            answered += answer.is_success
            found = two.there.shown_in(answer.text, one)
            if found or (answer.is_success and wanted) or answer.status_code >= 500:
                shown.append((route.path, params, one, answer.status_code, found))
    return shown, answered


def written(two, email, one):
    """Bodies that fit, each with what is over there: an id, a member, an address."""
    theirs = {"value": str(one)}
    person = {"schemas": [f"{SCHEMAS}User"], "id": str(one), "userName": email}
    yield person | {"emails": [{"value": email, "primary": True}], "active": False}
    group = {"schemas": [f"{SCHEMAS}Group"], "id": str(one), "displayName": "Crew"}
    yield group | {"members": [theirs, {"value": str(two.there.user_id)}]}
    yield {
        "schemas": [PATCH],
        "Operations": [
            {"op": "replace", "path": "active", "value": False},
            {"op": "add", "path": "members", "value": [theirs]},
        ],
    }


@pytest.mark.dear
@pytest.mark.asvs("8.2.2", "8.4.1")
async def test_no_directory_sees_or_changes_anything_of_the_other_one(client, two, database):
    pytest.importorskip("app.scim")
    from tests.scim.conftest import make_token

    token = await make_token(two.here.organization_id)
    client.cookies.clear()
    headers = {"Authorization": f"Bearer {token}"}
    before = state(database.admin, two.there.organization_id)
    with psycopg.connect(database.admin) as connection:
        found = connection.execute("SELECT email FROM users WHERE id = %s", [two.there.user_id])
        [email] = found.fetchone()

    shown, answered = await read_as_directory(client, two, email, **headers)
    assert shown == []
    assert answered > 20

    taken, tried = [], 0
    for route in of_directories(client):
        for method in sorted(route.methods - {"GET", "HEAD"}):
            ids = sorted(some(two)) if "{" in route.path else [None]
            for one in ids:
                for body in written(two, email, one or two.there.user_id):
                    _elsewhere(client)
                    path = re.sub(r"{[^}]+}", str(one), route.path)
                    answer = await client.request(method, path, json=body, headers=headers)
                    tried += 1
                    told = answer.text.replace(json.dumps(body), "")
                    expected = {400, 404, 405, 409, 501}
                    if (method, path) == ("POST", "/scim/v2/Users"):
                        expected.add(201)  # they are asked, which tells and changes nothing
                    if answer.status_code not in expected or two.there.shown_in(told, one):
                        taken.append((method, path, answer.status_code, answer.text))
    assert taken == []
    assert tried > 50
    assert state(database.admin, two.there.organization_id) == before

    with psycopg.connect(database.admin, autocommit=True) as admin:  # it fails when it should
        admin.execute("ALTER TABLE scim_groups DISABLE ROW LEVEL SECURITY")
        try:
            assert (await read_as_directory(client, two, email, **headers))[0] != []
        finally:
            admin.execute("ALTER TABLE scim_groups ENABLE ROW LEVEL SECURITY")


@pytest.mark.dear
@pytest.mark.asvs("8.2.2", "8.4.1")
async def test_nobody_who_works_as_a_member_sees_or_changes_anything_of_the_other_one(
    client, two, database
):
    """Ada administers both; what she sees as somebody here is what that person sees."""
    before = state(database.admin, two.there.organization_id)

    member = await make_user(two.here.organization_id, password=False)
    path = f"/api/users/{member.user_id}/impersonation"
    answer = await client.post(path, json={"reason": "She asked for help."})
    assert answer.status_code == 201, answer.text
    client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]

    shown, answered = await read_everything(client, two, some(two))
    assert shown == []
    assert answered > 10
    wrong, tried, _ = await change_everything(client, two, ids=few(two))
    assert wrong == []
    assert tried > 50
    assert state(database.admin, two.there.organization_id) == before


@pytest.mark.dear
@pytest.mark.asvs("8.2.2", "8.4.1")
async def test_no_program_s_token_sees_or_changes_anything_of_the_other_one(client, two, database):
    before = state(database.admin, two.there.organization_id)
    someone = await make_user(two.here.organization_id, role="admin")
    client.cookies.clear()
    form = {"email": someone.email, "password": PASSWORD, "device_name": "A phone"}
    answer = await client.post("/api/auth/token", json=form)
    assert answer.status_code == 200, answer.text
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    shown, answered = await read_everything(client, two, some(two), "/api/", **headers)
    assert shown == []
    assert answered > 20
    wrong, tried, _ = await change_everything(client, two, ids=few(two), **headers)
    # A person's own limit answers first there; nobody with a token works as somebody anyway.
    assert [one for one in wrong if one[2] != 429 or "impersonat" not in one[1]] == []
    assert tried > 50
    assert state(database.admin, two.there.organization_id) == before
