"""Another mail address: confirmed by who reads it, signed in, and told to both."""

import asyncio

import pytest
from sqlalchemy import text

from app.core import db
from tests.factories import PASSWORD, make_user, set_policy, sign_in


@pytest.fixture
async def ada(client):
    someone = await make_user()
    await sign_in(client, someone)
    return someone


async def ask(client, email):
    return await client.post("/api/auth/email", json={"email": email})


async def link_to(mails_to, link_in, address):
    newest, *_ = await mails_to(address)
    return link_in(newest)


async def confirm(client, token):
    answer = await client.post("/api/auth/email/confirm", json={"token": token})
    if answer.status_code == 200:
        client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return answer


async def test_the_new_address_counts_once_it_is_confirmed(
    client, ada, new_address, mails_to, link_in
):
    assert (await ask(client, new_address)).status_code == 202
    assert (await client.get("/api/auth/email")).json()["pending"] == new_address
    assert (await client.get("/api/me")).json()["email"] == ada.email
    assert "is to change" in (await mails_to(ada.email))[0].subject

    done = await confirm(client, await link_to(mails_to, link_in, new_address))
    assert done.status_code == 200, done.text
    assert (await client.get("/api/me")).json()["email"] == new_address
    for address in (ada.email, new_address):
        assert "has changed" in (await mails_to(address))[0].subject

    client.cookies.delete("__Host-session")
    for address, status in ((ada.email, 401), (new_address, 200)):
        form = {"email": address, "password": PASSWORD}
        assert (await client.post("/api/auth/sign-in", json=form)).status_code == status


@pytest.mark.asvs("7.5.1")
async def test_it_needs_a_fresh_proof(client, ada, new_address):
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE sessions SET authenticated_at = now() - interval '1 h' WHERE user_id=:u"),
            {"u": ada.user_id},
        )
    refused = await ask(client, new_address)
    assert refused.json()["type"] == "/problems/prove-it-again"


async def test_whoever_reads_a_mistyped_address_does_not_get_the_account(
    client, ada, new_browser, new_address, mails_to, link_in
):
    await ask(client, new_address)
    token = await link_to(mails_to, link_in, new_address)
    eve = await make_user()
    async with new_browser() as hers:
        assert (await confirm(hers, token)).status_code in {401, 403}
        await sign_in(hers, eve)
        assert (await confirm(hers, token)).status_code == 410
    assert (await client.get("/api/me")).json()["email"] == ada.email
    assert (await confirm(client, token)).status_code == 200, "and the link was not used up"


async def test_reset_links_and_other_sessions_end_with_the_change(
    client, ada, new_browser, new_address, mails_to, link_in
):
    await client.post("/api/auth/password-reset", json={"email": ada.email})
    reset = await link_to(mails_to, link_in, ada.email)
    await ask(client, new_address)
    async with new_browser() as other:
        await sign_in(other, ada)
        await confirm(client, await link_to(mails_to, link_in, new_address))
        assert (await other.get("/api/me")).status_code == 401
    form = {"token": reset, "password": "another horse, another battery 7"}
    assert (await client.post("/api/auth/password-reset/finish", json=form)).status_code == 410


async def test_a_change_is_withdrawn(client, ada, new_address, mails_to, link_in):
    await ask(client, new_address)
    token = await link_to(mails_to, link_in, new_address)
    assert (await client.delete("/api/auth/email")).status_code == 204
    assert (await client.get("/api/auth/email")).json()["pending"] is None
    assert (await confirm(client, token)).status_code == 410
    assert (await client.delete("/api/auth/email")).status_code == 404


async def test_a_new_wish_takes_the_place_of_the_old_one(
    client, ada, new_address, mails_to, link_in
):
    await ask(client, new_address)
    first = await link_to(mails_to, link_in, new_address)
    await ask(client, "other." + new_address)
    assert (await confirm(client, first)).status_code == 410


async def test_whether_an_address_has_an_account_is_told_to_its_owner_only(
    client, ada, new_address, mails_to
):
    eve = await make_user()
    taken, free = await ask(client, eve.email.upper()), await ask(client, new_address)
    assert (taken.status_code, taken.json()) == (free.status_code, free.json())
    (letter,) = await mails_to(eve.email)
    assert "has an account" in letter.subject
    assert "/confirm/" not in letter.body


async def test_of_two_who_want_an_address_at_once_one_gets_it(
    client, ada, new_browser, new_address, mails_to, link_in
):
    eve = await make_user()
    async with new_browser() as hers:
        await sign_in(hers, eve)
        await ask(client, new_address)
        one = await link_to(mails_to, link_in, new_address)
        await ask(hers, new_address)
        other = await link_to(mails_to, link_in, new_address)
        found = await asyncio.gather(confirm(client, one), confirm(hers, other))
    assert sorted(answer.status_code for answer in found) == [200, 409]


async def test_twenty_uses_of_a_link_at_once_change_the_address_once(
    client, ada, new_address, mails_to, link_in, race
):
    await ask(client, new_address)
    token = await link_to(mails_to, link_in, new_address)

    def use(browser, _):
        return browser.post("/api/auth/email/confirm", json={"token": token})

    answers = await race(use, client)
    assert sorted(one.status_code for one in answers) == [200] + [410] * 19


async def test_an_address_that_someone_typed_and_nobody_confirmed_is_no_obstacle(
    client, ada, new_address, mails_to, link_in
):
    await make_user(email=new_address, activated_at=None)
    await ask(client, new_address)
    assert (await confirm(client, await link_to(mails_to, link_in, new_address))).status_code == 200


async def test_the_organisation_s_domains_hold_for_a_new_address_too(client, ada, new_address):
    await set_policy(ada.organization_id, mail_domains=["example.com"])
    refused = await ask(client, "ada@elsewhere.example")
    assert refused.json()["errors"].keys() == {"email"}
    assert (await ask(client, new_address)).status_code == 202


async def test_where_only_some_domains_may_sign_up_nobody_moves_out_of_them(client, ada, configure):
    configure(SIGN_UP_MODE="domain", SIGN_UP_DOMAINS='["example.com"]')
    assert (await ask(client, "ada@elsewhere.example")).status_code == 422


async def test_nobody_sends_mail_without_end_this_way(client, ada, new_address):
    statuses = [(await ask(client, f"{i}.{new_address}")).status_code for i in range(6)]
    assert statuses == [202] * 5 + [429]
