"""The way to a provider and back, and what comes of it."""

import hashlib

import pytest
from sqlalchemy import text

from app.audit import service as audit
from app.audit.service import Filter
from app.auth.next_pages import home
from app.core import db
from tests.factories import make_user
from tests.sso.conftest import asked, come_back, leave, sign_in
from tests.sso.issuer import b64, someone


async def rows(statement: str, **values):
    async with db.transaction(elevated=True) as session:
        return (await session.execute(text(statement), values)).all()


async def sessions_of(email: str):
    return await rows(
        "SELECT s.* FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.email = :e"
        " ORDER BY s.id",
        e=email,
    )


async def test_someone_new_gets_an_account_and_a_session(browser, issuer):
    issuer.person = someone()

    page = await sign_in(browser, issuer)

    assert page.path == home()
    account = await browser.open("/account")
    assert issuer.person["email"] in account.text
    [session] = await sessions_of(issuer.person["email"])
    assert (session.level, session.method, session.second_factor) == ("full", "sso", False)


async def test_who_comes_again_comes_into_the_same_account(browser, issuer, new_browser):
    issuer.person = someone()
    await sign_in(browser, issuer)
    # The subject is who it is; address and name may change.
    issuer.person |= {"email": "moved@example.org", "email_verified": False, "name": "G. Hopper"}

    async with new_browser() as client:
        page = await sign_in(type(browser)(client), issuer)

    assert page.path == home()
    found = await rows(
        "SELECT user_id FROM sso_identities WHERE issuer = :i AND subject = :s",
        i=issuer.url,
        s=issuer.person["sub"],
    )
    assert len(found) == 1
    assert not await rows("SELECT 1 FROM users WHERE email = 'moved@example.org'")


@pytest.mark.asvs("10.2.1")
async def test_what_is_asked_for_is_bound_and_fresh(browser, issuer):
    first, second = asked(await leave(browser)), asked(await leave(browser))

    assert first["response_type"] == "code"
    assert first["scope"] == "openid email profile"
    assert first["code_challenge_method"] == "S256"
    assert first["redirect_uri"] == "https://testserver/sso/acme/callback"
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]
        assert len(first[name]) >= 43


async def test_people_come_back_to_where_they_wanted_to_go(browser, issuer):
    issuer.person = someone()

    query = issuer.approve(await leave(browser, next_path="/account/security"))

    assert (await come_back(browser, query)).path == "/account/security"


@pytest.mark.parametrize("wish", ["//evil.example", "https://evil.example", "/\\evil.example"])
async def test_no_wish_leads_elsewhere(browser, issuer, wish):
    issuer.person = someone()

    query = issuer.approve(await leave(browser, next_path=wish))
    page = await come_back(browser, query, follow=False)

    assert page.headers["location"] == home()


async def test_the_json_api_keeps_its_wish_on_this_site(client, issuer):
    answer = await client.post("/api/sso/providers/acme/sign-in?next=//evil.example")
    issuer.person = someone()

    query = issuer.approve(answer.json()["authorization_url"])
    back = await client.get(f"/sso/acme/callback?{query}")

    assert (back.status_code, back.headers["location"]) == (303, "/")


async def test_twenty_at_once_make_exactly_one_session(browser, issuer, race):
    issuer.person = someone()
    query = issuer.approve(await leave(browser))

    pages = await race(lambda _, __: come_back(browser, query, follow=False), browser.client)

    onward = [page.headers["location"] for page in pages]
    assert sorted(onward) == [home()] + ["/sign-in"] * 19
    assert len(await sessions_of(issuer.person["email"])) == 1


async def test_an_answer_works_once(browser, issuer):
    issuer.person = someone()
    query = issuer.approve(await leave(browser))
    await come_back(browser, query)
    await (await browser.open("/account")).send("/sign-out")

    page = await come_back(browser, query)

    assert page.path == "/sign-in"
    assert "used already" in page.text


@pytest.mark.asvs("10.1.2")
async def test_an_answer_works_in_the_browser_that_asked_only(browser, issuer, new_browser):
    """Or someone could sign a stranger in to an account of their own."""
    issuer.person = someone()
    query = issuer.approve(await leave(browser))

    async with new_browser() as client:
        stranger = type(browser)(client)
        await leave(stranger)  # it has a cookie of its own
        page = await come_back(stranger, query)

    assert page.path == "/sign-in"
    assert "another browser" in page.text
    assert not await sessions_of(issuer.person["email"])
    # And it does not spoil the one that asked.
    assert (await come_back(browser, query)).path == home()


async def test_an_answer_that_comes_late_is_refused(browser, issuer):
    issuer.person = someone()
    query = issuer.approve(await leave(browser))
    async with db.transaction(elevated=True) as session:
        await session.execute(text("UPDATE sso_attempts SET expires_at = now()"))

    page = await come_back(browser, query)

    assert "too old" in page.text


@pytest.mark.asvs("10.1.1")
async def test_the_database_holds_nothing_to_use_a_stolen_code_with(browser, issuer):
    """Neither verifier nor nonce nor state, nor what they are made of."""
    address = asked(await leave(browser))
    [row] = await rows(
        "SELECT a::text AS all FROM sso_attempts a WHERE state_digest = :d",
        d=hashlib.sha256(address["state"].encode()).digest(),
    )

    for secret in (address["state"], address["nonce"], browser.client.cookies["__Host-sso"]):
        assert secret not in row.all
        assert secret.encode().hex() not in row.all
    assert b64(b"") == ""


async def test_no_at_the_provider_is_said_plainly(browser, issuer):
    state = asked(await leave(browser))["state"]

    page = await come_back(
        browser, f"error=access_denied&error_description=%3Cb%3Exylophone%3C/b%3E&state={state}"
    )

    assert page.path == "/sign-in"
    assert "did not succeed" in page.text
    assert "xylophone" not in page.html


@pytest.mark.asvs("10.1.1")
async def test_the_address_with_code_and_state_goes_to_nobody(browser, issuer):
    issuer.person = someone()

    page = await sign_in(browser, issuer, follow=False)

    assert page.headers["referrer-policy"] == "no-referrer"


async def test_who_has_a_second_factor_is_asked_for_it(browser, issuer):
    issuer.person = someone()
    await sign_in(browser, issuer)
    await _enrol(issuer.person["email"])
    await (await browser.open("/account")).send("/sign-out")

    page = await sign_in(browser, issuer)

    assert page.path == "/sign-in/second-factor"
    session = (await sessions_of(issuer.person["email"]))[-1]
    assert (session.level, session.second_factor) == ("pending", False)


@pytest.mark.asvs("6.8.4")
async def test_a_second_factor_at_the_provider_counts_where_a_setting_says_so(
    browser, issuer, configure
):
    issuer.person = someone()
    await sign_in(browser, issuer)
    await _enrol(issuer.person["email"])
    await (await browser.open("/account")).send("/sign-out")
    issuer.says = {"amr": ["pwd", "mfa"]}
    assert (await sign_in(browser, issuer)).path == "/sign-in/second-factor"

    configure(SSO_PROVIDERS__ACME__SECOND_FACTORS="mfa, phr")
    page = await sign_in(browser, issuer)

    assert page.path == home()
    session = (await sessions_of(issuer.person["email"]))[-1]
    assert (session.level, session.second_factor) == ("full", True)


async def _enrol(email: str) -> None:
    async with db.transaction(elevated=True) as session:
        from app.auth import second_factors

        [user] = (
            await session.execute(text("SELECT id FROM users WHERE email = :e"), {"e": email})
        ).all()
        await second_factors.enable(session, user.id, "totp")


async def test_suspended_people_stay_out(browser, issuer):
    issuer.person = someone()
    await sign_in(browser, issuer)
    await (await browser.open("/account")).send("/sign-out")
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "UPDATE memberships SET suspended_at = now()"
                " WHERE user_id = (SELECT id FROM users WHERE email = :e)"
            ),
            {"e": issuer.person["email"]},
        )

    page = await sign_in(browser, issuer)

    assert page.path == "/sign-in"
    assert "suspended" in page.text
    assert len(await sessions_of(issuer.person["email"])) == 1


async def test_it_is_written_down_and_its_owner_told(browser, issuer, mails_to):
    issuer.person = someone()

    await sign_in(browser, issuer)

    [session] = await sessions_of(issuer.person["email"])
    async with db.transaction(organization_id=session.organization_id) as reading:
        page = await audit.search(reading, session.organization_id, Filter(user_id=session.user_id))
    actions = [event.action for event in reversed(page.events)]
    assert actions == ["account.activated", "identity.connected", "session.started"]
    [letter] = await mails_to(issuer.person["email"])
    assert letter.subject.startswith("Acme now signs you in")


async def test_an_unknown_provider_does_not_exist(client, issuer):
    assert (await client.post("/api/sso/providers/nobody/sign-in")).status_code == 404
    assert (await client.get("/sso/nobody/callback?code=1&state=2")).status_code == 404


async def test_the_session_that_was_there_before_ends(browser, issuer):
    ada = await make_user()
    await browser.sign_in(ada)
    issuer.person = someone()
    answer = await browser.client.get("/api/auth/session")
    started = await browser.client.post(
        "/api/sso/providers/acme/sign-in",
        headers={"X-CSRF-Token": answer.headers["X-CSRF-Token"]},
    )

    await come_back(browser, issuer.approve(started.json()["authorization_url"]))

    [old] = await sessions_of(ada.email)
    assert old.revoked_at is not None
