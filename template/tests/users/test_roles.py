"""Roles that an organisation makes for itself, and that nobody climbs by them."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.core import db
from tests.factories import make_organization, make_user, sign_in

AUDITOR = {"name": "Auditor", "permissions": ["audit.read"]}


@pytest.fixture
async def ada(client):
    """The client is an administrator."""
    admin = await make_user(role="admin")
    await sign_in(client, admin)
    return admin


async def make_role(client, **values):
    made = await client.post("/api/roles", json=AUDITOR | values)
    assert made.status_code == 201, made.text
    return made.json()


async def someone_with(client, ada, *permissions, browser):
    """A colleague whose role holds these permissions, signed in."""
    role = await make_role(client, name=" ".join(permissions), permissions=permissions)
    colleague = await make_user(ada.organization_id, role=role["id"])
    await sign_in(browser, colleague)
    return colleague


async def permissions_in(browser):
    return (await browser.get("/api/me")).json()["permissions"]


async def test_a_role_opens_what_it_names_and_counts_at_once(client, ada, new_browser):
    async with new_browser() as browser:
        bob = await someone_with(client, ada, "audit.read", browser=browser)
        assert await permissions_in(browser) == ["account.manage", "audit.read"]
        assert (await browser.get("/api/audit")).status_code == 200
        assert (await browser.get("/api/users")).status_code == 403
        role = f"/api/roles/{(await browser.get('/api/me')).json()['role']}"
        changed = {"name": "People", "permissions": ["users.read"]}
        assert (await client.put(role, json=changed)).json()["members"] == 1
        assert (await browser.get("/api/audit")).status_code == 403
        assert (await browser.get("/api/users")).status_code == 200
    events = (await client.get("/api/audit?action=role")).json()["events"]
    assert [one["action"] for one in events] == ["role.changed", "role.created"]
    assert events[0]["detail"] == {"permissions": ["users.read"]}
    assert bob.role in role


async def test_giving_a_custom_role_and_taking_it_back(client, ada):
    role = await make_role(client)
    bob = await make_user(ada.organization_id)
    given = await client.put(f"/api/users/{bob.user_id}/role", json={"role": role["id"]})
    assert given.json()["role"] == role["id"]
    refused = await client.delete(f"/api/roles/{role['id']}")
    assert refused.json()["type"] == "/problems/role-in-use"
    await client.put(f"/api/users/{bob.user_id}/role", json={"role": "member"})
    assert (await client.delete(f"/api/roles/{role['id']}")).status_code == 204
    answer = await client.put(f"/api/users/{bob.user_id}/role", json={"role": role["id"]})
    assert answer.status_code == 404


async def test_a_role_that_someone_is_invited_to_stays(client, ada):
    role = await make_role(client)
    invited = await client.post(
        "/api/invitations", json={"email": "new@example.com", "role": role["id"]}
    )
    assert invited.status_code == 201
    assert (await client.delete(f"/api/roles/{role['id']}")).status_code == 409
    await client.delete(f"/api/invitations/{invited.json()['id']}")
    assert (await client.delete(f"/api/roles/{role['id']}")).status_code == 204


@pytest.mark.asvs("8.2.1")
async def test_nobody_grants_more_than_they_hold(client, ada, new_browser):
    strong = await make_role(client, name="Strong", permissions=["audit.read", "users.read"])
    weak = await make_role(client, name="Weak", permissions=["users.read"])
    bob = await make_user(ada.organization_id, role=weak["id"])
    async with new_browser() as browser:
        eve = await someone_with(
            client, ada, "users.read", "users.manage", "roles.manage", browser=browser
        )
        own_role = (await browser.get("/api/me")).json()["role"]
        attempts = [
            browser.post("/api/roles", json={"name": "Mine", "permissions": ["audit.read"]}),
            browser.put(f"/api/roles/{weak['id']}", json=AUDITOR),
            browser.put(f"/api/roles/{own_role}", json=AUDITOR),
            # Not even to make it smaller: it is not theirs to touch.
            browser.put(f"/api/roles/{strong['id']}", json={"name": "S", "permissions": []}),
            browser.delete(f"/api/roles/{strong['id']}"),
            browser.put(f"/api/users/{bob.user_id}/role", json={"role": strong["id"]}),
            browser.put(f"/api/users/{bob.user_id}/role", json={"role": "admin"}),
            browser.put(f"/api/users/{eve.user_id}/role", json={"role": "admin"}),
            browser.post("/api/invitations", json={"email": "e@example.com", "role": "admin"}),
            browser.post("/api/invitations", json={"email": "e@example.com", "role": strong["id"]}),
            # Nor someone who stands above.
            browser.put(f"/api/users/{ada.user_id}/role", json={"role": weak["id"]}),
            browser.post(f"/api/users/{ada.user_id}/suspend"),
            browser.delete(f"/api/users/{ada.user_id}"),
        ]
        for number, attempt in enumerate(attempts):
            answer = await attempt
            assert answer.json()["type"] == "/problems/beyond-your-own", (number, answer.text)
        # What they hold themselves they may give.
        mine = await browser.post(
            "/api/roles", json={"name": "Mine", "permissions": ["users.read"]}
        )
        path = f"/api/users/{bob.user_id}/role"
        assert (await browser.put(path, json={"role": mine.json()["id"]})).status_code == 200
    roles = {one["name"]: one for one in (await client.get("/api/roles")).json()}
    assert roles["Strong"]["permissions"] == ["account.manage", "audit.read", "users.read"]
    assert roles["Mine"]["members"] == 1


async def test_managing_people_does_not_mean_making_roles(client, ada, new_browser):
    async with new_browser() as browser:
        await someone_with(client, ada, "users.read", "users.manage", browser=browser)
        assert (await browser.get("/api/roles")).status_code == 200
        answer = await browser.post("/api/roles", json={"name": "Mine"})
        assert answer.json()["type"] == "/problems/not-permitted"


async def test_permissions_of_modules_that_are_not_there_count_for_nothing(client, ada):
    role = await make_role(client)
    async with db.transaction(elevated=False, organization_id=ada.organization_id) as session:
        await session.execute(
            text("UPDATE roles SET permissions = ARRAY['audit.read', 'gone.use'] WHERE id = :id"),
            {"id": role["id"]},
        )
    [shown] = [one for one in (await client.get("/api/roles")).json() if not one["built_in"]]
    assert (shown["unknown"], shown["permissions"]) == (
        ["gone.use"],
        ["account.manage", "audit.read"],
    )
    bob = await make_user(ada.organization_id, role=role["id"])
    await sign_in(client, bob)
    assert await permissions_in(client) == ["account.manage", "audit.read"]
    # Left as it was it may stay; added anew it may not.
    await sign_in(client, ada)
    kept = AUDITOR | {"permissions": ["gone.use"]}
    assert (await client.put(f"/api/roles/{role['id']}", json=kept)).status_code == 200
    refused = await client.post("/api/roles", json=kept | {"name": "Another"})
    assert refused.json()["type"] == "/problems/unknown-permission"


async def test_names_are_taken_once_whatever_their_case(client, ada):
    await make_role(client)
    other = await make_role(client, name="Other")
    for answer in (
        await client.post("/api/roles", json=AUDITOR | {"name": "AUDITOR"}),
        await client.put(f"/api/roles/{other['id']}", json=AUDITOR | {"name": "auditor"}),
    ):
        assert answer.json()["type"] == "/problems/role-name-taken"
    both = [client.post("/api/roles", json=AUDITOR | {"name": "Twice"}) for _ in range(2)]
    assert sorted(one.status_code for one in await asyncio.gather(*both)) == [201, 409]


async def test_roles_of_others_do_not_exist(client, ada, new_browser):
    their_admin = await make_user(await make_organization(), role="admin")
    async with new_browser() as browser:
        await sign_in(browser, their_admin)
        theirs = await make_role(browser)
        await make_role(client)  # the same name in two organisations
        bob = await make_user(ada.organization_id)
        for answer in (
            await client.put(f"/api/roles/{theirs['id']}", json=AUDITOR),
            await client.delete(f"/api/roles/{theirs['id']}"),
            await client.put(f"/api/users/{bob.user_id}/role", json={"role": theirs["id"]}),
            await client.post(
                "/api/invitations", json={"email": "b@example.com", "role": theirs["id"]}
            ),
        ):
            assert answer.status_code == 404
        assert theirs["id"] not in {one["id"] for one in (await client.get("/api/roles")).json()}
    # And the database itself holds no membership with a role of another organisation.
    with pytest.raises(IntegrityError, match="fk_memberships_role_id"):
        await make_user(ada.organization_id, role=theirs["id"])


async def test_part_of_an_administrator_counts_as_one_for_the_second_factor(
    client, ada, new_browser, configure
):
    async with new_browser() as browser:
        await someone_with(client, ada, "audit.read", browser=browser)
        configure(SESSION_SECOND_FACTOR="admins")
        answer = await browser.get("/api/audit")
        assert answer.json()["type"] == "/problems/second-factor-required"
