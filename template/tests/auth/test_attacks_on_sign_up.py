"""What a stranger, or someone invited, tries with addresses, links and invitations."""

import asyncio
import re
from time import perf_counter
from uuid import UUID

import pytest
from sqlalchemy import text

from app.auth import even_time, sign_up
from app.auth.jobs import clean_up
from app.core import db
from tests.factories import PASSWORD, make_organization, make_user, sign_in


def form(email, **changes):
    return {"email": email, "password": PASSWORD, "display_name": "Grace Hopper"} | changes


@pytest.fixture
async def office(new_browser):
    """A browser in which an administrator is signed in."""
    async with new_browser() as browser:
        await sign_in(browser, await make_user(await make_organization(), role="admin"))
        yield browser


@pytest.fixture
def invite(office, mails_to):
    """Invite an address; gives the invitation's id and token."""

    async def send(address, role):
        made = await office.post("/api/invitations", json={"email": address, "role": role})
        assert made.status_code == 201, made.text
        body = (await mails_to(address))[0].body
        return made.json()["id"], re.search(r"invitation=(\S+)", body)[1]

    return send


async def activate(client, token, password=PASSWORD):
    return await client.post("/api/auth/activate", json={"token": token, "password": password})


async def rows(query, **values):
    async with db.transaction(elevated=True) as session:
        return (await session.execute(text(query), values)).all()


async def test_a_domain_that_only_looks_like_ours_does_not_sign_up(client, configure):
    configure(SIGN_UP_MODE="domain", SIGN_UP_DOMAINS='["swiss-bank.example"]')
    for domain in ("swiß-bank.example", "xn--swi-bank-cza.example", "swiss-bank.example.org"):
        answer = await client.post("/api/auth/sign-up", json=form(f"eve@{domain}"))
        assert answer.status_code in {403, 422}, domain
    right = await client.post("/api/auth/sign-up", json=form("eve@ＳＷＩＳＳ-bank.example"))
    assert right.status_code == 202, "the wide letters are the same domain to everyone"


async def test_a_withdrawn_invitation_gives_no_role_to_who_signed_up_with_it(
    client, office, invite, new_address, mails_to, link_in
):
    number, token = await invite(new_address, "admin")
    await client.post("/api/auth/sign-up", json=form(new_address, invitation=token))
    link = link_in((await mails_to(new_address))[0])

    assert (await office.delete(f"/api/invitations/{number}")).status_code == 204

    assert (await activate(client, link)).status_code == 410
    again = await client.post("/api/auth/sign-up", json=form(new_address, invitation=token))
    assert again.status_code == 410
    await client.post("/api/auth/sign-up", json=form(new_address))
    await activate(client, link_in((await mails_to(new_address))[0]))
    assert (await client.get("/api/me")).json()["role"] == "member"


async def test_inviting_again_with_less_takes_the_first_offer_back(
    client, invite, new_address, mails_to, link_in
):
    _, first = await invite(new_address, "admin")
    await client.post("/api/auth/sign-up", json=form(new_address, invitation=first))
    link = link_in((await mails_to(new_address))[0])

    _, second = await invite(new_address, "member")

    assert (await activate(client, link)).status_code == 410
    await client.post("/api/auth/sign-up", json=form(new_address, invitation=second))
    await activate(client, link_in((await mails_to(new_address))[0]))
    assert (await client.get("/api/me")).json()["role"] == "member"


async def test_an_invitation_that_ran_out_gives_nothing_by_the_open_door(
    client, invite, new_address, mails_to, link_in
):
    _, token = await invite(new_address, "admin")
    await client.post("/api/auth/sign-up", json=form(new_address, invitation=token))
    await mails_to(new_address)
    await rows(
        "WITH i AS (UPDATE invitations SET expires_at = now() WHERE email = :e RETURNING 1)"
        " UPDATE one_time_links SET expires_at = now() FROM users u"
        " WHERE u.id = user_id AND u.email = :e RETURNING user_id",
        e=new_address,
    )

    refused = await client.post("/api/auth/sign-up", json=form(new_address, invitation=token))
    assert refused.status_code == 410
    await client.post("/api/auth/sign-up", json=form(new_address))
    await activate(client, link_in((await mails_to(new_address))[0]))

    assert (await client.get("/api/me")).json()["role"] == "member"


async def test_signing_up_without_the_invitation_that_waits_gives_no_role(
    client, invite, new_address, mails_to, link_in
):
    await invite(new_address, "admin")
    await client.post("/api/auth/sign-up", json=form(new_address))
    await activate(client, link_in((await mails_to(new_address))[0]))
    assert (await client.get("/api/me")).json()["role"] == "member"


async def test_an_administrator_sends_fifty_invitations_an_hour_and_no_more(office):
    statuses = [
        (await office.post("/api/invitations", json={"email": f"n{i}@example.com"})).status_code
        for i in range(51)
    ]
    assert statuses == [201] * 50 + [429]


async def test_five_invitations_a_day_reach_one_mailbox(office, new_address, mails_to):
    for _ in range(6):
        answer = await office.post("/api/invitations", json={"email": new_address})
    assert answer.status_code == 429
    assert len(await mails_to(new_address)) == 5


async def test_a_name_is_no_link_in_a_stranger_s_mailbox(office, new_address, mails_to):
    name = "You won! Go to https://evil.example/prize or www.evil.example, J. Doe"
    await office.patch("/api/me", json={"display_name": "ada@evil.example"})
    await office.patch("/api/organization", json={"name": name})
    await office.post("/api/invitations", json={"email": new_address})
    [letter] = await mails_to(new_address)

    assert "evil" in letter.body
    assert "J. Doe" in letter.body
    before_the_link = letter.body.partition("Accept within")[0]
    assert not re.search(r"\w[.@:/]\w|://", before_the_link)


@pytest.mark.parametrize("loses", ["suspend", "role", "remove"])
async def test_nobody_comes_back_by_an_invitation_that_they_sent(
    office, new_browser, new_address, loses
):
    """To an address of their own, in the last minute, with the role that they had."""
    me = (await office.get("/api/me")).json()
    eve = await make_user(UUID(me["organization_id"]), role="admin")
    async with new_browser() as hers:
        await sign_in(hers, eve)
        for email in (new_address, f"x.{new_address}"):
            await hers.post("/api/invitations", json={"email": email, "role": "admin"})
    await office.post("/api/invitations", json={"email": f"x.{new_address}", "role": "admin"})

    path = f"/api/users/{eve.user_id}"
    if loses == "suspend":
        answer = await office.post(f"{path}/suspend")
    elif loses == "role":
        answer = await office.put(f"{path}/role", json={"role": "reviewer"})
    else:
        answer = await office.delete(path)
    assert answer.status_code in {200, 204}, answer.text

    left = (await office.get("/api/invitations")).json()
    assert [one["email"] for one in left] == [f"x.{new_address}"], "that one somebody else repeated"


async def test_whoever_is_removed_does_not_come_back_by_an_invitation(
    client, office, invite, new_address, mails_to, link_in
):
    _, token = await invite(new_address, "admin")
    await client.post("/api/auth/sign-up", json=form(new_address, invitation=token))
    link = link_in((await mails_to(new_address))[0])
    found = await office.get("/api/users", params={"search": new_address})
    [user] = found.json()["users"]

    assert (await office.delete(f"/api/users/{user['id']}")).status_code == 204

    assert (await activate(client, link)).status_code == 410
    again = await client.post("/api/auth/sign-up", json=form(new_address, invitation=token))
    assert again.status_code == 410


async def test_a_suspended_account_is_not_made_anew_by_signing_up(
    client, new_address, mails_to, link_in
):
    await client.post("/api/auth/sign-up", json=form(new_address))
    await mails_to(new_address)
    await rows(
        "WITH l AS (UPDATE one_time_links SET expires_at = now() FROM users u"
        " WHERE u.id = user_id AND u.email = :e RETURNING user_id)"
        " UPDATE memberships m SET suspended_at = now() FROM l WHERE m.user_id = l.user_id"
        " RETURNING m.id",
        e=new_address,
    )

    await client.post("/api/auth/sign-up", json=form(new_address))
    await activate(client, link_in((await mails_to(new_address))[0]))

    assert (await client.get("/api/me")).status_code == 401
    client.cookies.clear()
    answer = await client.post(
        "/api/auth/sign-in", json={"email": new_address, "password": PASSWORD}
    )
    assert answer.status_code == 403


async def test_letters_that_are_the_same_to_some_only_do_not_tell_who_has_an_account(
    client, new_address, mails_to, link_in
):
    """To PostgreSQL the small letter of İ is i, to Python it is another one."""
    await make_user(email=f"i{new_address}")
    for email in (f"İ{new_address}", f"İx{new_address}", f"ΑΣ{new_address}", f"ΑΣ{new_address}"):
        answer = await client.post("/api/auth/sign-up", json=form(email))
        assert answer.status_code == 202, email
    (letter,) = await mails_to(f"İ{new_address}".lower())
    assert (await activate(client, link_in(letter))).status_code == 200
    client.cookies.clear()
    signed_in = {"email": f"İ{new_address}", "password": PASSWORD}
    assert (await client.post("/api/auth/sign-in", json=signed_in)).status_code == 200


async def test_an_invitation_cannot_be_taken_up_while_it_is_withdrawn(
    office, client, invite, new_address, monkeypatch
):
    """Between the look at it and the account that follows."""
    invitation, token = await invite(new_address, "admin")
    taken, withdrawing = sign_up.take, []

    async def take(*given):
        revoke = office.delete(f"/api/invitations/{invitation}")
        withdrawing.append(asyncio.create_task(revoke))
        while not withdrawing[0].done() and not await somebody_waits():
            await asyncio.sleep(0.01)
        await taken(*given)

    monkeypatch.setattr(sign_up, "take", take)
    await client.post("/api/auth/sign-up", json=form(new_address, invitation=token))

    assert (await withdrawing[0]).status_code == 204
    assert await rows("SELECT 1 FROM users WHERE email = :e", e=new_address) == []


async def somebody_waits():
    return await rows("SELECT 1 FROM pg_locks WHERE NOT granted")


async def test_many_sign_ups_of_one_address_at_once_make_one_account(new_browser, new_address):
    async def once():
        async with new_browser() as browser:
            return (await browser.post("/api/auth/sign-up", json=form(new_address))).status_code

    assert await asyncio.gather(*(once() for _ in range(5))) == [202] * 5
    assert await rows("SELECT count(*) FROM users WHERE email = :e", e=new_address) == [(1,)]


async def test_nobody_is_flooded_with_mail_from_many_addresses(new_browser, new_address, mails_to):
    ada = await make_user()
    for address in (new_address, ada.email):
        for number in range(9):
            async with new_browser() as browser:  # each at a network address of its own
                written = address.upper() if number % 2 else address
                answer = await browser.post("/api/auth/sign-up", json=form(written))
                assert answer.status_code == 202, "the answer does not tell"
        assert len(await mails_to(address)) == 6


async def test_a_stranger_cannot_write_to_an_address_through_us(client, new_address, mails_to):
    name = "Win a prize at evil.example"
    await client.post("/api/auth/sign-up", json=form(new_address, display_name=name))
    [letter] = await mails_to(new_address)
    assert "evil.example" not in letter.subject + letter.body


async def test_the_name_is_the_one_given_with_the_link_that_was_used(
    client, new_address, mails_to, link_in
):
    await client.post("/api/auth/sign-up", json=form(new_address, display_name="First"))
    mine = link_in((await mails_to(new_address))[0])
    stranger = form(new_address, display_name="A stranger's joke", password="another password 77")
    await client.post("/api/auth/sign-up", json=stranger)
    await activate(client, mine)
    assert (await client.get("/api/me")).json()["display_name"] == "First"


@pytest.mark.parametrize(
    ("path", "known", "unknown"),
    [
        ("/api/auth/password-reset", {}, {}),
        ("/api/auth/sign-up", form(""), form("")),
    ],
)
async def test_the_time_does_not_tell_which_address_has_an_account(
    client, new_address, path, known, unknown, even_seconds, monkeypatch
):
    monkeypatch.setattr(even_time, "SECONDS", even_seconds)
    ada = await make_user()
    times = []
    for body in (known | {"email": ada.email}, unknown | {"email": new_address}):
        began = perf_counter()
        assert (await client.post(path, json=body)).status_code == 202
        times.append(perf_counter() - began)
    # Both wait for the same moment, which lies behind the longer of the two ways.
    assert min(times) >= even_seconds >= 0.2


async def test_accounts_that_nobody_confirmed_are_forgotten(client, new_address):
    other = "waiting." + new_address
    for address in (new_address, other):
        await client.post("/api/auth/sign-up", json=form(address))
    await rows(
        "UPDATE one_time_links SET expires_at = now() FROM users u"
        " WHERE u.id = user_id AND u.email = :e RETURNING user_id",
        e=new_address,
    )

    await clean_up()

    left = "SELECT email FROM users WHERE email IN (:a, :b)"
    assert await rows(left, a=new_address, b=other) == [(other,)]


async def test_nothing_of_a_removed_person_is_left_but_the_log(client, office, mails_to):
    boss = (await office.get("/api/me")).json()
    ada = await make_user(UUID(boss["organization_id"]))
    await sign_in(client, ada)
    await client.post("/api/auth/totp")
    await client.post("/api/auth/password-reset", json={"email": ada.email})
    assert await mails_to(ada.email)
    counted = (
        "SELECT (SELECT count(*) FROM users WHERE id = :u),"
        " (SELECT count(*) FROM sessions WHERE user_id = :u),"
        " (SELECT count(*) FROM passwords WHERE user_id = :u),"
        " (SELECT count(*) FROM totp_devices WHERE user_id = :u),"
        " (SELECT count(*) FROM one_time_links WHERE user_id = :u),"
        " (SELECT count(*) FROM mail_messages WHERE recipient = :e)"
    )
    assert await rows(counted, u=ada.user_id, e=ada.email) == [(1, 1, 1, 1, 1, 1)]

    assert (await office.delete(f"/api/users/{ada.user_id}")).status_code == 204

    assert await rows(counted, u=ada.user_id, e=ada.email) == [(0,) * 6]
    assert (await client.get("/api/me")).status_code == 401
