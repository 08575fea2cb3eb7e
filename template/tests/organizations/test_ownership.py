"""The owner hands the organisation on, or deletes it with all that is in it."""

import asyncio

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import text

from app.core import db
from tests.factories import make_membership, make_organization, make_role, make_user, sign_in
from tests.usage.conftest import Till, everybody, person_of

BASE = "/api/organizations/current"


async def owned(client, **values):
    """The client owns an organisation of its own."""
    organization = await make_organization(name="Analytical Engines")
    ada = await make_user(organization, role="admin", **values)
    await own(ada)
    await sign_in(client, ada)
    return ada


async def own(someone):
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE organizations SET owner_id = :u WHERE id = :o"),
            {"u": someone.user_id, "o": someone.organization_id},
        )


async def owner_of(organization_id):
    async with db.transaction(elevated=True) as session:
        return await session.scalar(
            text("SELECT owner_id FROM organizations WHERE id = :o"), {"o": organization_id}
        )


def rows_of(organization_id, admin_url):
    """How many rows each table holds of an organisation; whoever looks sees all of them."""
    with psycopg.connect(admin_url) as admin:
        tables = admin.execute(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND column_name = 'organization_id'"
        ).fetchall()
        counts = {
            name: admin.execute(
                SQL("SELECT count(*) FROM {} WHERE organization_id = %s").format(Identifier(name)),
                [organization_id],
            ).fetchone()[0]
            for (name,) in tables
        }
    return {name: count for name, count in counts.items() if count}


async def problem(answer):
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


async def test_handing_on_makes_the_heir_an_administrator_and_tells_both(
    client, mails_to, new_browser
):
    ada = await owned(client)
    grace = await make_user(ada.organization_id, display_name="Grace Hopper")
    answer = await client.put(f"{BASE}/owner", json={"user_id": str(grace.user_id)})
    assert answer.status_code == 204
    assert await owner_of(ada.organization_id) == grace.user_id
    assert (await client.get(f"/api/users/{grace.user_id}")).json()["role"] == "admin"
    for someone in (ada, grace):
        assert "Grace Hopper" in (await mails_to(someone.email))[0].body
    # The old owner is an administrator like others now: removable, and no owner.
    answer = await client.put(f"{BASE}/owner", json={"user_id": str(ada.user_id)})
    assert await problem(answer) == (403, "not-the-owner")
    async with new_browser() as hers:
        await sign_in(hers, grace)
        assert (await hers.delete(f"/api/users/{ada.user_id}")).status_code == 204


@pytest.mark.parametrize("kind", ["elsewhere", "suspended", "unconfirmed"])
async def test_only_an_active_member_becomes_the_owner(client, kind):
    ada = await owned(client)
    place = None if kind == "elsewhere" else ada.organization_id
    values = {"activated_at": None} if kind == "unconfirmed" else {}
    someone = await make_user(place, **values)
    if kind == "suspended":
        await client.post(f"/api/users/{someone.user_id}/suspend")
    answer = await client.put(f"{BASE}/owner", json={"user_id": str(someone.user_id)})
    assert await problem(answer) == (409, "cannot-own")
    assert await owner_of(ada.organization_id) == ada.user_id


async def test_an_administrator_names_the_owner_only_where_there_is_none(client, new_browser):
    organization = await make_organization()
    role = await make_role(organization, ["organization.manage"])
    eve = await make_user(organization, role=role)
    async with new_browser() as hers:
        await sign_in(hers, eve)
        refused = await hers.put(f"{BASE}/owner", json={"user_id": str(eve.user_id)})
        assert await problem(refused) == (403, "not-the-owner"), "a part of the rights is no way up"
        assert (await hers.get("/api/me")).json()["role"] == role

    ada = await make_user(role="admin")
    await sign_in(client, ada)
    answer = await client.put(f"{BASE}/owner", json={"user_id": str(ada.user_id)})
    assert answer.status_code == 204
    assert await owner_of(ada.organization_id) == ada.user_id


@pytest.mark.parametrize("kind", ["role", "suspend", "remove"])
async def test_nobody_takes_the_owner_away(client, kind):
    owner = await make_user(await make_organization(), role="admin")
    await own(owner)
    await sign_in(client, await make_user(owner.organization_id, role="admin"))
    path = f"/api/users/{owner.user_id}"
    match kind:
        case "role":
            answer = await client.put(f"{path}/role", json={"role": "member"})
        case "suspend":
            answer = await client.post(f"{path}/suspend")
        case "remove":
            answer = await client.delete(path)
    assert await problem(answer) == (409, "owner-stays")


async def test_the_heir_who_is_removed_at_the_same_time_is_not_the_owner(client, new_browser):
    ada = await owned(client)
    other = await make_user(ada.organization_id, role="admin")
    grace = await make_user(ada.organization_id, role="admin")
    async with new_browser() as browser:
        await sign_in(browser, other)
        handed, removed = await asyncio.gather(
            client.put(f"{BASE}/owner", json={"user_id": str(grace.user_id)}),
            browser.delete(f"/api/users/{grace.user_id}"),
        )
    owner = await owner_of(ada.organization_id)
    assert (handed.status_code, removed.status_code, owner) in {
        (204, 409, grace.user_id),
        (409, 204, ada.user_id),
    }


async def delete(client, name="Analytical Engines"):
    return await client.post(f"{BASE}/delete", json={"name": name})


async def test_deleting_takes_all_of_it_and_tells_everybody(
    client, mails_to, new_browser, database
):
    ada = await owned(client)
    home = await make_organization(name="Home")
    await make_membership(ada, home, role="admin")
    grace, boss = await make_user(ada.organization_id), await make_user(ada.organization_id)
    await make_membership(boss, home)
    await client.post("/api/invitations", json={"email": f"new.{ada.user_id.hex}@example.com"})
    await client.put("/api/organization/policy", json={"second_factor": "optional"})
    assert rows_of(ada.organization_id, database.admin).keys() > {"memberships", "sessions"}
    async with new_browser() as hers:
        await sign_in(hers, grace)
        answer = await delete(client)
        assert (answer.status_code, answer.json()["organization_id"]) == (200, str(home.id))
        assert (await hers.get("/api/me")).status_code == 401
    assert (await client.get("/api/me")).json()["organization_id"] == str(home.id)
    # What the log says of it stays, and holds ids only.
    left = rows_of(ada.organization_id, database.admin).keys()
    assert {name for name in left if not name.startswith("audit_")} == set()
    people = [ada.user_id, grace.user_id, boss.user_id]
    async with db.transaction(elevated=True) as session:
        kept = await session.scalars(
            text("SELECT id FROM users WHERE id = ANY (:ids)"), {"ids": people}
        )
        assert set(kept) == {ada.user_id, boss.user_id}, "who belonged nowhere else is gone"
        events = await session.execute(
            text(
                "SELECT user_id, detail FROM audit_events WHERE organization_id IS NULL"
                " AND action = 'organization.deleted' AND target = :o"
            ),
            {"o": str(ada.organization_id)},
        )
        [event] = events.all()
    assert tuple(event) == (ada.user_id, {"members": 3, "accounts": 1})
    assert "your account is deleted, too" in (await mails_to(grace.email))[0].body
    for someone in (ada, boss):
        assert "Your account stays" in (await mails_to(someone.email))[0].body


async def test_what_a_deleted_one_spent_stays_in_the_sum_of_all(client):
    """Or whoever founds one after the other would spend a budget with each."""
    ada, before = await owned(client), await everybody()
    till = Till(person_of(ada))
    await till.settle(await till.reserve(), microdollars=500)
    await till.reserve(microdollars=2000)
    assert (await delete(client)).status_code == 200
    found = await everybody()
    assert (found.spent - before.spent, found.held) == (2500, before.held)


@pytest.mark.parametrize("name", ["", "Analytical", "analytical engines", "Home"])
async def test_the_name_must_be_typed(client, name):
    ada = await owned(client)
    answer = await delete(client, name)
    assert await problem(answer) == (422, "name-mistyped")
    assert (await client.get("/api/me")).json()["organization_id"] == str(ada.organization_id)


async def test_only_the_owner_deletes_and_hands_on(client):
    ada = await owned(client)
    await sign_in(client, await make_user(ada.organization_id, role="admin"))
    assert await problem(await delete(client)) == (403, "not-the-owner")
    await sign_in(client, await make_user(ada.organization_id))
    assert await problem(await delete(client)) == (403, "not-permitted")
    assert await owner_of(ada.organization_id) == ada.user_id


async def test_deleting_needs_a_fresh_proof(client):
    ada = await owned(client)
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "UPDATE sessions SET authenticated_at = now() - interval '1 h' WHERE user_id = :u"
            ),
            {"u": ada.user_id},
        )
    assert await problem(await delete(client)) == (403, "prove-it-again")
    answer = await client.put(f"{BASE}/owner", json={"user_id": str(ada.user_id)})
    assert await problem(answer) == (403, "prove-it-again")


async def test_deleting_the_only_one_ends_session_and_account(client):
    ada = await owned(client)
    assert (await delete(client)).json() == {"organization_id": None, "csrf_token": None}
    form = {"email": ada.email, "password": ada.password}
    client.cookies.clear()
    answer = await client.post("/api/auth/sign-in", json=form)
    assert await problem(answer) == (401, "wrong-credentials")


async def test_no_administrator_suspends_the_owner(client):
    organization = await make_organization()
    owner = await make_user(organization, role="admin")
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE organizations SET owner_id = :owner WHERE id = :id"),
            {"owner": owner.user_id, "id": organization.id},
        )
    await sign_in(client, await make_user(organization, role="admin"), second_factor=True)

    form = {"subject_kind": "person", "subject": str(owner.user_id), "measure": "suspend"}
    refused = await client.post(
        "/api/abuse/measures", json=form | {"minutes": 30, "reason": "I would like to be it."}
    )

    assert refused.status_code == 409
