import asyncio

import pytest

from app.auth import links
from app.core import db
from app.users import service as users
from tests.factories import PASSWORD, make_organization, make_user, sign_in


def form(email, **changes):
    return {"email": email, "password": PASSWORD, "display_name": "Grace Hopper"} | changes


async def test_signing_up_mails_a_link_that_activates_and_signs_in(
    client, new_address, mails_to, link_in
):
    response = await client.post("/api/auth/sign-up", json=form(new_address))
    assert response.status_code == 202
    [letter] = await mails_to(new_address)

    response = await client.post(
        "/api/auth/activate", json={"token": link_in(letter), "password": PASSWORD}
    )

    assert response.status_code == 200
    assert response.json()["level"] == "full"
    me = await client.get("/api/me")
    assert (me.json()["email"], me.json()["role"]) == (new_address, "member")


async def test_nobody_signs_in_before_the_address_is_confirmed(client, new_address):
    await client.post("/api/auth/sign-up", json=form(new_address))
    response = await client.post(
        "/api/auth/sign-in", json={"email": new_address, "password": PASSWORD}
    )
    assert response.status_code == 401


async def test_an_existing_account_gets_the_same_answer_and_another_mail(client, mails_to):
    ada = await make_user()
    known = await client.post("/api/auth/sign-up", json=form(ada.email))
    unknown = await client.post("/api/auth/sign-up", json=form("x" + ada.email))
    assert known.status_code == unknown.status_code == 202
    assert known.json() == unknown.json()
    [letter] = [one for one in await mails_to(ada.email) if one.to == ada.email]
    assert "already have an account" in letter.subject


async def test_writing_an_address_in_capitals_makes_no_second_account(client, mails_to):
    ada = await make_user()
    await client.post("/api/auth/sign-up", json=form(ada.email.upper()))
    assert "already have an account" in (await mails_to(ada.email))[0].subject


async def test_a_link_does_not_activate_with_the_password_of_another_sign_up(
    client, new_address, mails_to, link_in
):
    """Who prepares an account on a stranger's address gains nothing by the stranger's click."""
    await client.post("/api/auth/sign-up", json=form(new_address, password="what the thief chose"))
    await client.post("/api/auth/sign-up", json=form(new_address))
    newest, oldest = await mails_to(new_address)

    wrong = await client.post(
        "/api/auth/activate", json={"token": link_in(oldest), "password": PASSWORD}
    )
    right = await client.post(
        "/api/auth/activate", json={"token": link_in(newest), "password": PASSWORD}
    )

    assert (wrong.status_code, right.status_code) == (422, 200)


@pytest.mark.asvs("2.3.4", "6.4.1")
async def test_of_twenty_uses_of_a_link_at_once_one_succeeds(
    client, new_address, mails_to, link_in, race
):
    await client.post("/api/auth/sign-up", json=form(new_address))
    token = link_in((await mails_to(new_address))[0])

    def use(browser, _):
        return browser.post("/api/auth/activate", json={"token": token, "password": PASSWORD})

    found = await race(use, client)
    assert sorted(one.status_code for one in found) == [200] + [410] * 19


@pytest.mark.asvs("6.4.1")
async def test_a_link_that_is_too_old_says_so(client, new_address, mails_to, link_in, monkeypatch):
    monkeypatch.setitem(links.LIFETIME, "activate", -links.LIFETIME["activate"])
    await client.post("/api/auth/sign-up", json=form(new_address))
    token = link_in((await mails_to(new_address))[0])
    response = await client.post("/api/auth/activate", json={"token": token, "password": PASSWORD})
    assert response.status_code == 410
    assert response.json()["type"] == "/problems/link-expired"


@pytest.mark.asvs("6.2.1", "6.2.4", "6.2.11", "6.2.12")
async def test_weak_passwords_are_refused_with_a_sentence(client, new_address):
    for password, sentence in {
        "short": "at least 12",
        "aaaaaaaaaaaaaaaa": "different characters",
        "qwertyuiop123456": "stolen",
        "x" * 1025: "at most",
        f"{new_address.partition('@')[0]}1": "your name",
    }.items():
        response = await client.post("/api/auth/sign-up", json=form(new_address, password=password))
        assert response.status_code == 422, password
        assert sentence in response.text, (password, response.text)
        assert password not in response.text


async def test_by_invitation_only_strangers_are_told_so(client, new_address, configure):
    configure(SIGN_UP_MODE="invitation")
    response = await client.post("/api/auth/sign-up", json=form(new_address))
    assert response.status_code == 403
    assert "invitation" in response.json()["detail"]


async def test_only_addresses_of_the_domain_sign_up(client, new_address, configure):
    configure(SIGN_UP_MODE="domain", SIGN_UP_DOMAINS='["corp.example"]')
    stranger = await client.post("/api/auth/sign-up", json=form(new_address))
    colleague = await client.post(
        "/api/auth/sign-up", json=form(new_address.replace("@example.com", "@CORP.example"))
    )
    assert (stranger.status_code, colleague.status_code) == (403, 202)


@pytest.mark.parametrize("written", ["xn--mnchen-3ya.example", "MÜNCHEN.example"])
async def test_a_domain_with_other_letters_is_one_however_it_is_written(
    client, new_address, configure, written
):
    configure(SIGN_UP_MODE="domain", SIGN_UP_DOMAINS=f'["{written}"]')
    for domain in ("münchen.example", "xn--mnchen-3ya.example"):
        address = new_address.replace("@example.com", f"@{domain}")
        assert (await client.post("/api/auth/sign-up", json=form(address))).status_code == 202


async def test_an_invitation_lets_its_address_in_with_its_role(
    client, new_browser, new_address, mails_to, link_in, configure
):
    configure(SIGN_UP_MODE="invitation")
    organization = await make_organization()
    admin = await make_user(organization, role="admin")
    async with new_browser() as browser:
        await sign_in(browser, admin)
        sent = await browser.post(
            "/api/invitations", json={"email": new_address, "role": "reviewer"}
        )
        assert sent.status_code == 201
    token = (await mails_to(new_address))[0].body.partition("invitation=")[2].split()[0]

    other = await client.post(
        "/api/auth/sign-up", json=form("other." + new_address, invitation=token)
    )
    invited = await client.post("/api/auth/sign-up", json=form(new_address, invitation=token))
    assert (other.status_code, invited.status_code) == (403, 202)
    activation = link_in((await mails_to(new_address))[0])
    await client.post("/api/auth/activate", json={"token": activation, "password": PASSWORD})

    me = (await client.get("/api/me")).json()
    assert (me["role"], me["organization_id"]) == ("reviewer", str(organization.id))
    again = await client.post("/api/auth/sign-up", json=form(new_address, invitation=token))
    assert again.status_code in (403, 410)


async def test_the_one_organisation_is_made_once_by_many_at_once():
    async def find():
        async with db.transaction(elevated=True) as session:
            return (await users.the_organization(session)).id

    assert len(set(await asyncio.gather(*(find() for _ in range(8))))) == 1
