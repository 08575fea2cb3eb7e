"""A session that gets a new token at the moment when it is ended ends all the same."""

import asyncio

import pytest
from sqlalchemy import text

from app.audit import service as audit
from app.auth import links
from app.core import db
from tests.factories import PASSWORD, make_user, sign_in

NEW = "another long sentence 17"
WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def until_waiting(number):
    """Until so many statements wait for a lock."""
    async with asyncio.timeout(10):
        while True:
            async with db.transaction() as session:
                if await session.scalar(WAITING) >= number:
                    return
            await asyncio.sleep(0.02)


async def beside(someone, rotating, ending):
    """Both at once: what rotates has made its session and waits for the log; then all end."""
    async with db.transaction(elevated=True) as session:
        await audit.record(session, "profile.changed", organization_id=someone.organization_id)
        first = asyncio.create_task(rotating)
        await until_waiting(1)
        second = asyncio.create_task(ending)
        await until_waiting(2)
    return await asyncio.gather(first, second)


@pytest.mark.asvs("7.4.3")
async def test_a_thief_who_proves_it_again_beside_a_reset_is_out(client, new_browser):
    ada = await make_user()
    await sign_in(client, ada)
    async with db.transaction(elevated=True) as session:
        token = await links.make(session, ada.user_id, "reset")
    async with new_browser() as owner:
        proved, reset = await beside(
            ada,
            client.post("/api/auth/prove-again", json={"password": PASSWORD}),
            owner.post("/api/auth/password-reset/finish", json={"token": token, "password": NEW}),
        )
    assert [proved.status_code, reset.status_code] == [200, 200]
    assert (await client.get("/api/me")).status_code == 401


async def test_a_thief_who_proves_it_again_while_the_others_are_signed_out_is_out(
    client, new_browser
):
    ada = await make_user()
    await sign_in(client, ada)
    async with new_browser() as owner:
        await sign_in(owner, ada)
        proved, ended = await beside(
            ada,
            client.post("/api/auth/prove-again", json={"password": PASSWORD}),
            owner.delete("/api/auth/sessions"),
        )
        assert [proved.status_code, ended.status_code] == [200, 204]
        assert (await owner.get("/api/me")).status_code == 200
    assert (await client.get("/api/me")).status_code == 401


async def test_who_rotates_while_an_administrator_signs_everyone_out_is_out(client, new_browser):
    grace = await make_user(role="admin")
    ada = await make_user(grace.organization_id)
    await sign_in(client, ada)
    async with new_browser() as administrator:
        await sign_in(administrator, grace)
        proved, ended = await beside(
            ada,
            client.post("/api/auth/prove-again", json={"password": PASSWORD}),
            administrator.delete("/api/auth/users/sessions"),
        )
        assert [proved.status_code, ended.status_code] == [200, 200]
    assert (await client.get("/api/me")).status_code == 401


async def its_id(owner):
    """The session of the other browser, as the owner's list has it."""
    [other] = [one for one in (await owner.get("/api/auth/sessions")).json() if not one["current"]]
    return other["id"]


@pytest.mark.asvs("7.5.2")
async def test_a_thief_who_proves_it_again_while_their_session_is_ended_is_out(client, new_browser):
    ada = await make_user()
    await sign_in(client, ada)
    async with new_browser() as owner:
        await sign_in(owner, ada)
        proved, ended = await beside(
            ada,
            client.post("/api/auth/prove-again", json={"password": PASSWORD}),
            owner.delete(f"/api/auth/sessions/{await its_id(owner)}"),
        )
        assert [proved.status_code, ended.status_code] == [200, 204]
        assert (await owner.get("/api/me")).status_code == 200
        assert (await client.get("/api/me")).status_code == 401
        assert len((await owner.get("/api/auth/sessions")).json()) == 1


async def test_the_list_that_the_owner_looks_at_may_be_older_than_the_thief_s_token(
    client, new_browser
):
    ada = await make_user()
    await sign_in(client, ada)
    async with new_browser() as owner:
        await sign_in(owner, ada)
        seen = f"/api/auth/sessions/{await its_id(owner)}"
        for _ in range(3):
            proved = await client.post("/api/auth/prove-again", json={"password": PASSWORD})
            client.headers["X-CSRF-Token"] = proved.json()["csrf_token"]
        async with new_browser() as stranger:
            await sign_in(stranger, await make_user())
            assert (await stranger.delete(seen)).status_code == 404
        assert (await client.get("/api/me")).status_code == 200
        assert (await owner.delete(seen)).status_code == 204
        assert (await client.get("/api/me")).status_code == 401
        assert (await owner.get("/api/me")).status_code == 200
        assert (await owner.delete(seen)).status_code == 404, "it is over now"
