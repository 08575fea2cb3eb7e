"""Whoever signs up by themselves gets an organisation of their own."""

import re

import pytest
from sqlalchemy import text

from app.core import db
from tests.factories import PASSWORD, make_user, sign_in


@pytest.fixture(autouse=True)
def _own(configure):
    configure(SIGN_UP_ORGANIZATION="own")


async def sign_up(client, address, **more):
    form = {"email": address, "password": PASSWORD, "display_name": "Grace Hopper"} | more
    answer = await client.post("/api/auth/sign-up", json=form)
    assert answer.status_code == 202, answer.text


async def activate(client, letter):
    link = re.search(r"/activate/(\S+)", letter.body)[1]
    answer = await client.post("/api/auth/activate", json={"token": link, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return (await client.get("/api/me")).json()


async def test_two_strangers_get_two_organisations(client, new_browser, mails_to, new_address):
    addresses = [new_address, f"x{new_address}"]
    people = []
    for address in addresses:
        async with new_browser() as browser:
            await sign_up(browser, address)
            me = await activate(browser, (await mails_to(address))[0])
            [mine] = (await browser.get("/api/organizations")).json()
            assert (me["role"], mine["owned"], mine["name"]) == (
                "admin",
                True,
                "Grace Hopper's organisation",
            )
            users = (await browser.get("/api/users")).json()["users"]
            assert [one["email"] for one in users] == [address]
            people.append(me["organization_id"])
    assert len(set(people)) == 2


async def test_who_never_confirms_leaves_no_organisation(client, new_address):
    await sign_up(client, new_address)
    async with db.transaction(elevated=True) as session:
        belongs = await session.scalar(
            text(
                "SELECT count(*) FROM users u LEFT JOIN memberships m ON m.user_id = u.id"
                " WHERE u.email = :e AND m.id IS NULL"
            ),
            {"e": new_address},
        )
    assert belongs == 1


async def test_whoever_is_invited_joins_that_one_also_after_signing_up_alone(
    client, new_browser, mails_to, new_address
):
    await sign_up(client, new_address)
    async with new_browser() as browser:
        boss = await make_user(role="admin")
        await sign_in(browser, boss)
        invited = await browser.post("/api/invitations", json={"email": new_address})
        assert invited.status_code == 201
    token = re.search(r"invitation=(\S+)", (await mails_to(new_address))[0].body)[1]
    await sign_up(client, new_address, invitation=token)
    me = await activate(client, (await mails_to(new_address))[0])
    assert (me["organization_id"], me["role"]) == (str(boss.organization_id), "member")
