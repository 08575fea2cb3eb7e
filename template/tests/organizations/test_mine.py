"""Making organisations, switching between one's own, and leaving them."""

import asyncio

import pytest
from sqlalchemy import text

from app.core import db
from app.core.settings import answers
from tests.factories import make_membership, make_organization, make_user, set_policy, sign_in

BASE = "/api/organizations"


async def make(client, **values):
    return await client.post(BASE, json={"name": "Analytical Engines"} | values)


async def go(client, answer):
    """Carry the token of the session that moved, as a page would."""
    assert answer.status_code in {200, 201}, answer.text
    client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return answer.json()["organization_id"]


async def switch(client, organization_id):
    return await client.post(f"{BASE}/{organization_id}/switch")


async def here(client):
    return (await client.get("/api/me")).json()["organization_id"]


async def actions(client):
    return [one["action"] for one in (await client.get("/api/audit")).json()["events"]]


async def problem(answer):
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


@pytest.fixture
async def ada(client):
    someone = await make_user()
    await sign_in(client, someone)
    return someone


async def test_whoever_makes_one_owns_it_and_stands_in_it(client, ada):
    made = await go(client, await make(client, slug=f"engines-{ada.user_id.hex[:8]}"))
    assert made != str(ada.organization_id)
    me = (await client.get("/api/me")).json()
    assert (me["organization_id"], me["role"]) == (made, "admin")
    mine = {one["id"]: one for one in (await client.get(BASE)).json()}
    assert set(mine) == {made, str(ada.organization_id)}
    assert (mine[made]["owned"], mine[made]["current"], mine[made]["role"]) == (True, True, "admin")
    old = mine[str(ada.organization_id)]
    assert (old["owned"], old["current"], old["role"]) == (False, False, "member")
    assert await actions(client) == ["session.started", "organization.created"]


async def test_a_short_name_follows_from_the_name_and_is_nobody_elses(client, ada):
    word = ada.user_id.hex[-8:]
    slugs = set()
    for _ in range(2):
        await go(client, await make(client, name=f"Köln's Office {word}"))
        [current] = [one for one in (await client.get(BASE)).json() if one["current"]]
        slugs.add(current["slug"])
    assert f"kolns-office-{word}" in slugs
    assert len(slugs) == 2
    answer = await make(client, slug=f"kolns-office-{word}")
    assert await problem(answer) == (409, "slug-taken")
    assert list(answer.json()["errors"]) == ["slug"]


async def test_nobody_sits_where_the_app_looks_for_its_own_organisation(client, ada):
    """`app create-admin` finds it by its slug; a stranger there would get an administrator."""
    slug = answers()["project"]["slug"]
    assert await problem(await make(client, slug=slug)) == (409, "slug-taken")
    await go(client, await make(client, name=answers()["project"]["name"]))
    [current] = [one for one in (await client.get(BASE)).json() if one["current"]]
    assert current["slug"] != slug


@pytest.mark.parametrize("slug", ["a", "Ada", "-ada", "ada-", "a b", "ä-da", "x" * 41, "ada/../b"])
async def test_a_short_name_that_cannot_be_is_refused(client, ada, slug):
    answer = await make(client, slug=slug)
    assert answer.status_code == 422
    assert len((await client.get(BASE)).json()) == 1


async def test_one_person_owns_only_so_many_also_when_asking_at_once(ada, configure, new_browser):
    configure(ORGANIZATIONS_OWNED_PER_PERSON=2)
    browsers = [await sign_in(new_browser(), ada) for _ in range(5)]
    made = await asyncio.gather(*(make(one) for one in browsers))
    for browser in browsers:
        await browser.aclose()
    assert sorted(one.status_code for one in made) == [201, 201, 409, 409, 409]
    refused = next(one for one in made if one.status_code == 409)
    assert await problem(refused) == (409, "too-many-organizations")


async def test_nobody_deletes_one_for_the_budget_of_the_next(client, ada, configure):
    configure(ORGANIZATIONS_OWNED_PER_PERSON=1)
    for _ in range(2):
        await go(client, await make(client))
        gone = await client.post(f"{BASE}/current/delete", json={"name": "Analytical Engines"})
        await go(client, gone)

    assert await problem(await make(client)) == (429, "rate-limited")
    assert [one["owned"] for one in (await client.get(BASE)).json()] == [False]


async def test_the_session_moves_with_a_new_token_and_the_old_one_is_dead(client, ada, new_browser):
    other = await make_organization()
    await make_membership(ada, other, role="admin")
    old = client.cookies["__Host-session"]
    assert await go(client, await switch(client, other.id)) == str(other.id)
    assert await here(client) == str(other.id)
    assert (await client.get("/api/me")).json()["role"] == "admin"
    assert client.cookies["__Host-session"] != old
    async with new_browser() as thief:
        answer = await thief.get("/api/me", headers={"Cookie": f"__Host-session={old}"})
        assert answer.status_code == 401


async def test_a_move_makes_a_session_neither_longer_nor_its_proof_fresher(client, ada):
    other = await make_organization()
    await make_membership(ada, other, role="admin")

    async def session():
        async with db.transaction(elevated=True) as found:
            row = await found.execute(
                text(
                    "SELECT authenticated_at, expires_at, method, second_factor, factor FROM"
                    " sessions WHERE user_id = :u AND revoked_at IS NULL"
                ),
                {"u": ada.user_id},
            )
            return tuple(row.one())

    async with db.transaction(elevated=True) as found:
        await found.execute(
            text(
                "UPDATE sessions SET authenticated_at = now() - interval '1 h',"
                " expires_at = now() + interval '1 h', method = 'sso' WHERE user_id = :u"
            ),
            {"u": ada.user_id},
        )
    before = await session()
    await go(client, await switch(client, other.id))
    assert await session() == before
    answer = await client.post("/api/invitations", json={"email": "grace@example.com"})
    assert await problem(answer) == (403, "prove-it-again")


async def test_where_one_does_not_belong_one_does_not_get(client, ada):
    for stranger in (await make_organization(), await make_organization()):
        answer = await switch(client, stranger.id)
        assert await problem(answer) == (404, "not-found")
    assert await here(client) == str(ada.organization_id)


async def test_whoever_is_suspended_there_is_told_so(client, ada):
    other = await make_organization()
    await make_membership(ada, other, suspended=True)
    assert await problem(await switch(client, other.id)) == (403, "account-suspended")
    assert await here(client) == str(ada.organization_id)


async def test_a_way_in_that_is_closed_there_asks_to_sign_in_anew(client, ada):
    other = await make_organization()
    await make_membership(ada, other)
    await set_policy(other.id, sign_in_methods=["telepathy"])
    answer = await switch(client, other.id)
    assert await problem(answer) == (403, "sign-in-another-way")
    assert "telepathy" in answer.json()["detail"]
    assert await here(client) == str(ada.organization_id)
    await set_policy(other.id, sign_in_methods=None, mail_domains=["elsewhere.example"])
    assert await problem(await switch(client, other.id)) == (403, "sign-in-another-way")


async def test_the_policy_of_the_place_one_switches_to_counts_there(client, ada):
    other = await make_organization()
    await make_membership(ada, other)
    await set_policy(other.id, second_factor="everyone")
    await go(client, await switch(client, other.id))
    assert await problem(await client.get("/api/usage")) == (403, "second-factor-required")
    # And whoever cannot have one now goes back to where it is not asked for.
    await go(client, await switch(client, ada.organization_id))
    assert (await client.get("/api/usage")).status_code == 200


async def test_the_next_sign_in_lands_where_one_was_last(client, ada):
    other = await make_organization()
    await make_membership(ada, other)
    await go(client, await switch(client, other.id))
    client.cookies.clear()
    form = {"email": ada.email, "password": ada.password}
    assert (await client.post("/api/auth/sign-in", json=form)).status_code == 200
    assert await here(client) == str(other.id)


async def test_leaving_moves_the_session_on_and_ends_the_others_there(client, ada, new_browser):
    made = await go(client, await make(client))
    await go(client, await switch(client, ada.organization_id))
    async with new_browser() as phone:
        await sign_in(phone, ada)
        left = await client.post(f"{BASE}/current/leave")
        assert await go(client, left) == made
        assert (await phone.get("/api/me")).status_code == 401
    assert await here(client) == made
    assert await problem(await switch(client, ada.organization_id)) == (404, "not-found")


async def test_the_only_organisation_is_not_left(client, ada):
    await make_user(ada.organization_id, role="admin")
    answer = await client.post(f"{BASE}/current/leave")
    assert await problem(answer) == (409, "only-organization")
    assert await here(client) == str(ada.organization_id)


async def test_neither_owner_nor_last_administrator_leaves(client, ada, new_browser):
    made = await go(client, await make(client))
    assert await problem(await client.post(f"{BASE}/current/leave")) == (409, "owner-stays")
    async with new_browser() as other:
        boss = await make_user(role="admin")
        await make_membership(boss, await make_organization())
        await sign_in(other, boss)
        assert await problem(await other.post(f"{BASE}/current/leave")) == (409, "last-admin")
    assert await here(client) == made


async def test_leaving_where_no_other_place_lets_in_ends_the_session(client, ada):
    await make_user(ada.organization_id, role="admin")
    other = await make_organization()
    await make_membership(ada, other)
    await set_policy(other.id, sign_in_methods=["telepathy"])
    answer = await client.post(f"{BASE}/current/leave")
    assert answer.json() == {"organization_id": None, "csrf_token": None}
    assert (await client.get("/api/me")).status_code == 401
