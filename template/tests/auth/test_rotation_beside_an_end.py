"""A session that gets a new token at the moment when all sessions end ends with them."""

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
