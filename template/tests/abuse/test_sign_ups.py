"""Floods of sign-ups."""

import secrets

import pytest

from tests.abuse.conftest import measures, sightings
from tests.abuse.test_sign_ins import at
from tests.conftest import new_client, new_network
from tests.factories import make_user, sign_in


async def sign_up(client, **more):
    form = {
        "email": f"new.{secrets.token_hex(6)}@example.com",
        "password": "a lantern under seven bridges",
        "display_name": "Grace",
    }
    return await client.post("/api/auth/sign-up", json=form | more)


@pytest.mark.asvs("2.4.1")
async def test_many_sign_ups_from_one_network_slow_it(app, limits):
    network = new_network()
    for last in range(1, 4):
        async with new_client(app) as client:
            assert (await sign_up(at(client, f"{network}.{last}"))).status_code == 202
    [seen] = await sightings()
    assert (seen["kind"], seen["subject"]) == ("sign-up-flood", f"{network}.0/24")
    async with new_client(app) as client:
        at(client, f"{network}.99")
        statuses = [(await sign_up(client)).status_code for _ in range(4)]
    assert statuses == [202, 202, 429, 429]


async def test_a_flood_from_everywhere_is_seen_too(app, limits):
    limits(ABUSE_SIGN_UPS_USUAL=4)
    for _ in range(4):
        async with new_client(app) as client:
            await sign_up(client)
    [seen] = await sightings()
    assert (seen["subject_kind"], seen["count"]) == ("everyone", 4)
    assert [one["scope"] for one in await measures()] == ["sign-up"]


async def test_a_flood_of_sign_ups_hinders_nobody_who_signs_in(client, app, limits):
    limits(ABUSE_SIGN_UPS_USUAL=2)
    for _ in range(3):
        async with new_client(app) as stranger:
            await sign_up(stranger)
    ada = await make_user()
    for _ in range(12):
        client.cookies.clear()
        form = {"email": ada.email, "password": ada.password}
        assert (await client.post("/api/auth/sign-in", json=form)).status_code == 200


async def test_who_was_invited_comes_in_during_a_flood(client, app, new_browser, limits):
    limits(ABUSE_SIGN_UPS_USUAL=2)
    for _ in range(3):
        async with new_client(app) as stranger:
            await sign_up(stranger)
    admin = await make_user(role="admin")
    await sign_in(client, admin, second_factor=True)
    statuses = []
    async with new_browser() as guests:
        for _ in range(4):
            email = f"guest.{secrets.token_hex(6)}@example.com"
            asked = await client.post("/api/invitations", json={"email": email, "role": "member"})
            assert asked.status_code == 201, asked.text
            token = await invitation_token(email)
            statuses.append((await sign_up(guests, email=email, invitation=token)).status_code)
    assert statuses == [202] * 4


async def invitation_token(email):
    from app.core import db
    from app.jobs.queue import run_until_empty
    from app.mail import service as mail

    await run_until_empty()
    async with db.transaction(elevated=True) as session:
        [letter, *_] = await mail.inbox(session, to=email)
    return letter.body.split("invitation=")[1].split()[0]
