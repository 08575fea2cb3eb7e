"""Connecting an account elsewhere, removing it, and proving by it who one is."""

import time

import pytest
from sqlalchemy import text

from app.auth.next_pages import home
from app.core import db
from app.users import service as users
from tests.factories import make_organization, make_user
from tests.sso.conftest import come_back, goes_to, sign_in
from tests.sso.issuer import someone
from tests.sso.test_pages_sign_in import rows, sessions_of


async def connect(browser, issuer, name="acme"):
    page = await browser.open("/account/security")
    page = await page.send(f"/account/security/connections/{name}")
    return await come_back(browser, issuer.approve(goes_to(page)), name)


async def test_someone_signed_in_connects_and_signs_in_with_it(browser, issuer, new_browser):
    ada = await make_user()
    await browser.sign_in(ada)
    # Whatever the address there is called.
    issuer.person = someone(email_verified=False)

    page = await connect(browser, issuer)

    assert page.path == "/account/security"
    assert "Acme is connected" in page.text
    assert issuer.person["email"] in page.text
    [told] = (await browser.client.get("/api/auth/security")).json()["opens"]
    assert (told["kind"], told["name"]) == ("Acme", issuer.person["email"])
    async with new_browser() as client:
        other = type(browser)(client)
        assert (await sign_in(other, issuer)).path == home()
        assert ada.email in (await other.open("/account")).text


async def test_connecting_needs_a_form_and_a_fresh_proof(browser, issuer):
    ada = await make_user()
    await browser.sign_in(ada)
    assert (await browser.open("/account/security/connections/acme")).status == 405

    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE sessions SET authenticated_at = now() - interval '1 h' WHERE user_id=:u"),
            {"u": ada.user_id},
        )
    page = await browser.open("/account/security")
    assert not page.has_form("/account/security/connections/acme")
    answer = await browser.client.post("/api/sso/providers/acme/connect")
    assert answer.status_code == 403


async def test_a_sign_in_answer_connects_nothing(browser, issuer):
    """Whoever lures someone signed in onto an answer of theirs gains no connection."""
    ada = await make_user()
    await browser.sign_in(ada)
    issuer.person = someone()
    state = "x" * 43
    page = await come_back(browser, f"code=1&state={state}")
    assert page.path == "/account/security"
    assert await rows("SELECT 1 FROM sso_identities WHERE user_id = :u", u=ada.user_id) == []


async def test_who_began_to_connect_must_still_be_there(browser, issuer):
    ada, eve = await make_user(), await make_user()
    await browser.sign_in(ada)
    issuer.person = someone()
    page = await browser.open("/account/security")
    page = await page.send("/account/security/connections/acme")
    query = issuer.approve(goes_to(page))
    await browser.sign_in(eve)

    await come_back(browser, query)

    assert await rows("SELECT 1 FROM sso_identities WHERE issuer = :i", i=issuer.url) == []


async def test_an_account_elsewhere_belongs_to_one_person_here(browser, issuer):
    ada, eve = await make_user(), await make_user()
    issuer.person = someone()
    await browser.sign_in(ada)
    await connect(browser, issuer)
    await browser.sign_in(eve)

    page = await connect(browser, issuer)

    assert "connected to another account here" in page.text
    assert not await rows("SELECT 1 FROM sso_identities WHERE user_id = :u", u=eve.user_id)


async def test_a_connection_is_removed_and_its_owner_told(browser, issuer, mails_to, new_browser):
    ada = await make_user()
    issuer.person = someone()
    await browser.sign_in(ada)
    await connect(browser, issuer)
    stranger = new_browser()
    await sign_in(type(browser)(stranger), issuer)
    assert (await stranger.get("/api/me")).status_code == 200
    [row] = await rows("SELECT id FROM sso_identities WHERE user_id = :u", u=ada.user_id)

    page = await browser.open("/account/security")
    page = await page.send(f"/account/security/connections/{row.id}/remove")

    assert "The connection is removed" in page.text
    assert (await stranger.get("/api/me")).status_code == 401
    await stranger.aclose()
    assert (await mails_to(ada.email))[0].subject.startswith("Acme no longer signs you in")
    await page.send("/sign-out")
    assert (await sign_in(browser, issuer)).path == home()  # as somebody new
    assert ada.email not in (await browser.open("/account")).text


async def test_the_last_way_in_stays(browser, issuer, other_issuer):
    issuer.person = someone()
    await sign_in(browser, issuer)
    [row] = await rows("SELECT id FROM sso_identities WHERE issuer = :i", i=issuer.url)
    page = await browser.open("/account/security")

    page = await page.send(f"/account/security/connections/{row.id}/remove")

    assert "only way to sign in" in page.text
    # With a second one the first may go.
    other_issuer.person = someone()
    page = await connect(browser, other_issuer, "evil")
    page = await page.send(f"/account/security/connections/{row.id}/remove")
    assert "The connection is removed" in page.text


async def test_nobody_removes_what_is_not_theirs(browser, issuer):
    ada, eve = await make_user(), await make_user()
    issuer.person = someone()
    await browser.sign_in(ada)
    await connect(browser, issuer)
    [row] = await rows("SELECT id FROM sso_identities WHERE user_id = :u", u=ada.user_id)
    await browser.sign_in(eve)
    token = (await browser.client.get("/api/auth/session")).headers["X-CSRF-Token"]

    answer = await browser.client.delete(
        f"/api/sso/connections/{row.id}", headers={"X-CSRF-Token": token}
    )

    assert answer.status_code == 404
    assert await rows("SELECT 1 FROM sso_identities WHERE id = :i", i=row.id)


# Proving it again ------------------------------------------------------------------------------


async def test_who_has_no_password_proves_it_at_the_provider(browser, issuer):
    issuer.person = someone()
    await sign_in(browser, issuer)
    await _make_old(issuer)

    page = await browser.open("/confirm?next=/account/security")
    page = await page.send("/confirm/sso/acme")
    address = goes_to(page)
    assert "prompt=login" in address
    assert "max_age=0" in address
    issuer.says = {"auth_time": int(time.time())}
    page = await come_back(browser, issuer.approve(address))

    assert page.path == "/account/security"
    [fresh] = [one for one in await sessions_of(issuer.person["email"]) if not one.revoked_at]
    [old] = [one for one in await sessions_of(issuer.person["email"]) if one.revoked_at]
    assert fresh.authenticated_at > old.authenticated_at


@pytest.mark.asvs("6.8.4", "7.6.1")
@pytest.mark.parametrize("auth_time", [None, 1_000_000_000])
async def test_a_provider_that_did_not_ask_again_proves_nothing(browser, issuer, auth_time):
    issuer.person = someone()
    await sign_in(browser, issuer)
    await _make_old(issuer)
    page = await browser.open("/confirm?next=/account/security")
    page = await page.send("/confirm/sso/acme")
    issuer.says = {"auth_time": auth_time}

    page = await come_back(browser, issuer.approve(goes_to(page)))

    assert "did not succeed" in page.text
    assert len(await sessions_of(issuer.person["email"])) == 1


async def test_somebody_else_at_the_provider_proves_nothing(browser, issuer):
    issuer.person = someone()
    await sign_in(browser, issuer)
    mine = issuer.person["email"]
    await _make_old(issuer)
    page = await browser.open("/confirm?next=/account/security")
    page = await page.send("/confirm/sso/acme")
    issuer.person, issuer.says = someone(), {"auth_time": int(time.time())}
    await come_back(browser, issuer.approve(goes_to(page)))

    assert len(await sessions_of(mine)) == 1


async def _make_old(issuer) -> None:
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "UPDATE sessions SET authenticated_at = now() - interval '1 h' WHERE user_id ="
                " (SELECT id FROM users WHERE email = :e)"
            ),
            {"e": issuer.person["email"]},
        )


async def test_who_belongs_to_no_organisation_gets_no_session(browser, issuer):
    organization = await make_organization()
    ada = await make_user(organization)
    issuer.person = someone()
    await browser.sign_in(ada)
    await connect(browser, issuer)
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("DELETE FROM memberships WHERE user_id = :u"), {"u": ada.user_id}
        )
        assert await users.by_email(session, ada.email)

    page = await sign_in(browser, issuer)

    assert page.path == "/sign-in"


async def test_the_last_provider_may_go_where_a_passkey_signs_in(browser, issuer):
    pytest.importorskip("app.passkeys")
    issuer.person = someone()
    await sign_in(browser, issuer)
    [row] = await rows("SELECT id, user_id FROM sso_identities WHERE issuer = :i", i=issuer.url)
    passkey = (
        "INSERT INTO passkeys (id, user_id, credential_id, public_key, sign_count, aaguid,"
        " transports, synced, name, copied_at) VALUES (gen_random_uuid(), :u,"
        " uuid_send(gen_random_uuid()), '', 0, gen_random_uuid(), '[]', false, 'Key', now())"
        " RETURNING id"
    )
    await rows(passkey, u=row.user_id)
    remove = f"/account/security/connections/{row.id}/remove"
    page = await (await browser.open("/account/security")).send(remove)
    assert "only way to sign in" in page.text, "one that was copied opens nothing"
    await rows(
        "UPDATE passkeys SET copied_at = NULL WHERE user_id = :u RETURNING id", u=row.user_id
    )
    page = await (await browser.open("/account/security")).send(remove)
    assert "The connection is removed" in page.text
