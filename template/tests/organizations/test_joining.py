"""Whoever has an account is invited to a further organisation, and answers as the invited one."""

import asyncio
import re
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.core import db
from tests.factories import make_organization, make_user, set_policy, sign_in

BASE = "/api/organizations"
MINE = f"{BASE}/invitations"


@pytest.fixture
async def boss(new_browser):
    """An administrator elsewhere, in a browser of their own."""
    async with new_browser() as browser:
        someone = await make_user(
            await make_organization(name="The Other Place"), role="admin", display_name="The Boss"
        )
        yield await sign_in(browser, someone), someone


@pytest.fixture
async def ada(client):
    someone = await make_user()
    await sign_in(client, someone)
    return someone


async def invite(boss, email, role="reviewer"):
    answer = await boss[0].post("/api/invitations", json={"email": email, "role": role})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def answer_it(client, invitation_id, what="accept"):
    return await client.post(f"{MINE}/{invitation_id}/{what}")


async def memberships(someone):
    async with db.transaction(elevated=True) as session:
        rows = await session.execute(
            text("SELECT organization_id, role FROM memberships WHERE user_id = :u"),
            {"u": someone.user_id},
        )
        return dict(rows.all())


async def events(boss):
    found = (await boss[0].get("/api/audit")).json()["events"]
    return [(one["action"], one["user_id"]) for one in found if "invitation" in one["action"]]


async def test_it_is_accepted_while_signed_in_and_brings_the_role_it_offered(client, ada, boss):
    invitation = await invite(boss, ada.email.upper())
    [shown] = (await client.get(MINE)).json()
    assert (shown["id"], shown["organization"], shown["role"]) == (
        invitation,
        "The Other Place",
        "reviewer",
    )
    answer = await answer_it(client, invitation)
    there = boss[1].organization_id
    assert (answer.status_code, answer.json()) == (200, {"organization_id": str(there)})
    assert await memberships(ada) == {ada.organization_id: "member", there: "reviewer"}
    assert (await client.get(MINE)).json() == []
    assert (await boss[0].get("/api/invitations")).json() == []
    assert (await events(boss))[0] == ("invitation.accepted", str(ada.user_id))


@pytest.mark.asvs("2.3.4")
async def test_of_twenty_at_once_one_is_accepted_and_recorded_once(client, ada, boss, race):
    invitation = await invite(boss, ada.email)
    answers = await race(lambda browser, _: answer_it(browser, invitation), client)
    assert sorted(one.status_code for one in answers) == [200, *[410] * 19]
    assert len(await memberships(ada)) == 2
    assert [one for one, _ in await events(boss)].count("invitation.accepted") == 1


async def test_accepting_and_declining_at_once_is_one_of_the_two(client, ada, boss):
    invitation = await invite(boss, ada.email)
    accepted, declined = await asyncio.gather(
        answer_it(client, invitation), answer_it(client, invitation, "decline")
    )
    assert (accepted.status_code, declined.status_code) in {(200, 410), (410, 204)}
    assert (len(await memberships(ada)) == 2) is (accepted.status_code == 200)


async def test_nobody_answers_an_invitation_to_another_address(client, ada, boss):
    grace = await make_user()
    invitation = await invite(boss, grace.email)
    assert (await client.get(MINE)).json() == []
    for what in ("accept", "decline"):
        theirs = await answer_it(client, invitation, what)
        nothing = await answer_it(client, uuid4(), what)
        assert (theirs.status_code, theirs.json()["detail"]) == (410, nothing.json()["detail"])
    assert len(await memberships(ada)) == 1
    assert len((await boss[0].get("/api/invitations")).json()) == 1


@pytest.mark.parametrize("end", ["declined", "withdrawn", "expired", "replaced", "used"])
async def test_what_is_over_is_not_accepted(client, ada, boss, end):
    invitation = await invite(boss, ada.email)
    match end:
        case "declined":
            assert (await answer_it(client, invitation, "decline")).status_code == 204
            assert (await events(boss))[0] == ("invitation.declined", str(ada.user_id))
        case "withdrawn":
            await boss[0].delete(f"/api/invitations/{invitation}")
        case "expired":
            async with db.transaction(elevated=True) as session:
                await session.execute(
                    text("UPDATE invitations SET expires_at = now() WHERE id = :i"),
                    {"i": invitation},
                )
        case "replaced":
            await invite(boss, ada.email)
        case "used":
            assert (await answer_it(client, invitation)).status_code == 200
            await boss[0].delete(f"/api/users/{ada.user_id}")
    assert (await answer_it(client, invitation)).status_code == 410
    assert len(await memberships(ada)) == 1


async def test_it_is_no_way_back_for_whoever_is_suspended(client, ada, boss):
    await answer_it(client, await invite(boss, ada.email))
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "INSERT INTO invitations (id, organization_id, email, role, token_digest,"
                " expires_at) VALUES (gen_random_uuid(), :o, :e, 'admin', :d, now() + '1 d')"
            ),
            {"o": boss[1].organization_id, "e": ada.email, "d": uuid4().bytes},
        )
    await boss[0].post(f"/api/users/{ada.user_id}/suspend")
    [again] = (await client.get(MINE)).json()
    assert (await answer_it(client, again["id"])).status_code == 409
    assert (await memberships(ada))[boss[1].organization_id] == "reviewer"


async def test_a_domain_that_was_closed_meanwhile_keeps_out(client, ada, boss):
    invitation = await invite(boss, ada.email)
    await set_policy(boss[1].organization_id, mail_domains=["elsewhere.example"])
    assert (await answer_it(client, invitation)).status_code == 422
    assert len(await memberships(ada)) == 1


async def test_signing_up_by_one_invitation_leaves_the_others_open(
    client, boss, new_browser, mails_to, configure
):
    configure(SIGN_UP_MODE="invitation")
    address = f"new.{uuid4().hex}@example.com"
    async with new_browser() as browser:
        second = (await sign_in(browser, await make_user(role="admin")), None)
        await invite(boss, address)
        await invite(second, address, role="member")
        [_, first] = await mails_to(address)
        token = re.search(r"invitation=(\S+)", first.body)[1]
        form = {
            "email": address,
            "password": "correct horse battery staple 42",
            "display_name": "Grace",
            "invitation": token,
        }
        assert (await client.post("/api/auth/sign-up", json=form)).status_code == 202
        link = re.search(r"/activate/(\S+)", (await mails_to(address))[0].body)[1]
        form = {"token": link, "password": form["password"]}
        assert (await client.post("/api/auth/activate", json=form)).status_code == 200
        me = (await client.get("/api/me")).json()
        assert (me["organization_id"], me["role"]) == (str(boss[1].organization_id), "reviewer")
        assert len((await client.get(MINE)).json()) == 1
        assert len((await second[0].get("/api/invitations")).json()) == 1
