"""One person in two organisations: after switching nothing of the other one shows anywhere.

Walks the route table, so that a route that is added later is held to it, too.
"""

import re

import pytest
from sqlalchemy import text

from app.access.access import routes
from app.core import db
from tests.factories import make_membership, make_organization, make_user, sign_in

MARK = "zanzibar-7f3a"


@pytest.fixture
async def ada(client, app):
    """An administrator of both; the other organisation is full of marked data."""
    here, there = await make_organization(), await make_organization(name=f"{MARK} place")
    someone = await make_user(there, role="admin")
    await make_membership(someone, here, role="admin")
    await sign_in(client, someone)
    return someone, here, there


async def fill(client, app, someone, there):
    """Make what can be made through the API over there; gives every id that answers named."""
    member = await make_user(
        there, display_name=f"{MARK} member", email=f"{MARK}.{someone.user_id.hex}@example.com"
    )
    answers = [
        await client.post("/api/invitations", json={"email": f"{MARK}.new@example.com"}),
        await client.get("/api/users"),
        await client.get("/api/invitations"),
    ]
    paths = {route.path for route in routes(app)}
    if "/api/conversations/{conversation_id}" in paths:
        async with db.transaction(organization_id=there.id, user_id=someone.user_id) as session:
            made = await session.scalar(
                text(
                    "INSERT INTO conversations (id, organization_id, user_id, title, updated_at)"
                    " VALUES (gen_random_uuid(), :o, :u, :t, now()) RETURNING id"
                ),
                {"o": there.id, "u": someone.user_id, "t": f"{MARK} talk"},
            )
        answers.append(await client.get(f"/api/conversations/{made}"))
    assert all(one.status_code in {200, 201} for one in answers), [one.text for one in answers]
    assert all(MARK in one.text for one in answers)
    events = (await client.get("/api/audit?limit=200")).json()["events"]
    assert events
    words = " ".join(one.text for one in answers)
    found = set(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", words))
    return (found | {str(member.user_id), str(there.id)}) - {str(someone.user_id)}


@pytest.mark.asvs("8.4.1")
async def test_after_switching_no_route_shows_anything_of_the_other_one(client, app, ada):
    someone, here, there = ada
    ids = await fill(client, app, someone, there)
    assert len(ids) >= 4
    answer = await client.post(f"/api/organizations/{here.id}/switch")
    assert answer.status_code == 200
    client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    # One's own list of organisations names both, and that is all it says.
    own = {"/organizations", "/api/organizations"}
    shown, walked = [], 0
    for route in routes(app):
        if "GET" not in (route.methods or ()) or route.path in own | {"/api/openapi.json"}:
            continue
        if route.path.startswith("/scim/"):
            continue  # a directory's own token opens it, a session says nothing there
        if "/dev/" in route.path:
            continue  # the laptop's stand-in for everybody's mailbox, which production has not
        queries = ["", *(f"?after={one}&before={one}" for one in ids), f"?search={MARK}"]
        for one in ids if "{" in route.path else [None]:
            path = re.sub(r"{[^}]+}", str(one), route.path)
            for query in queries if one is None else [""]:
                answer = await client.get(path + query)
                walked += 1
                # A link's page asks first, and looks at its token only when the form is sent.
                named = one and "{token}" not in route.path
                if named and answer.status_code not in {303, 401, 403, 404, 410, 422}:
                    shown.append((answer.status_code, path))
                # What was asked for may be written into the answer again; data may not.
                told = answer.text.replace(f'value="{MARK}"', "").replace(f"search={MARK}", "")
                if "search" in query:
                    told = told.replace(f"“{MARK}”", "")
                if MARK in told or any(i in told for i in ids if i not in path + query):
                    shown.append((answer.status_code, path + query))
    assert shown == []
    assert walked > 100
    assert (await client.get("/api/users")).json()["users"][0]["id"] == str(someone.user_id)


async def test_the_walk_sees_what_it_looks_for(client, app, ada):
    """Over there the same routes do show it, so the walk above can fail."""
    someone, _, there = ada
    await fill(client, app, someone, there)
    for path in ("/api/users", "/api/invitations", "/api/organization"):
        assert MARK in (await client.get(path)).text, path
