"""Whose account opens: the subject decides, a mail address hardly ever."""

import asyncio

import pytest

from app.auth.next_pages import home
from tests.factories import PASSWORD, make_user
from tests.sso.conftest import sign_in
from tests.sso.issuer import someone
from tests.sso.test_pages_sign_in import rows, sessions_of


@pytest.mark.parametrize("verified", [False, None, "no", 0])
async def test_an_address_that_is_not_confirmed_makes_no_account(browser, issuer, verified):
    issuer.person = someone(email_verified=verified)

    page = await sign_in(browser, issuer)

    assert page.path == "/sign-in"
    assert "does not confirm your e-mail address" in page.text
    assert not await rows("SELECT 1 FROM users WHERE email = :e", e=issuer.person["email"])


@pytest.mark.parametrize("email", [None, "no address", "a@b@c", 42])
async def test_who_has_no_address_there_gets_no_account(browser, issuer, email):
    issuer.person = someone(email=email)
    assert (await sign_in(browser, issuer)).path == "/sign-in"


@pytest.mark.parametrize("verified", [True, False, None])
async def test_an_address_does_not_open_an_account_that_is_in_use(browser, issuer, verified):
    ada = await make_user()
    issuer.person = someone(email=ada.email.upper(), email_verified=verified)

    page = await sign_in(browser, issuer)

    assert page.path == "/sign-in"
    assert await sessions_of(ada.email) == []
    assert await rows("SELECT 1 FROM sso_identities WHERE user_id = :u", u=ada.user_id) == []


async def test_where_the_settings_say_so_the_provider_decides(browser, issuer, configure, mails_to):
    ada = await make_user()
    configure(SSO_PROVIDERS__ACME__DOMAINS="other.example, example.com")
    issuer.person = someone(email=ada.email)

    page = await sign_in(browser, issuer)

    assert page.path == home()
    assert ada.email in (await browser.open("/account")).text
    [letter] = await mails_to(ada.email)
    assert letter.subject.startswith("Acme now signs you in")


async def test_it_decides_about_its_own_domains_only(browser, issuer, configure):
    ada = await make_user()
    configure(SSO_PROVIDERS__ACME__DOMAINS="ample.com example.com.evil")
    issuer.person = someone(email=ada.email)
    assert (await sign_in(browser, issuer)).path == "/sign-in"


async def test_who_says_that_it_is_not_confirmed_is_believed(browser, issuer, configure):
    """People at the provider may type any address into their profile."""
    ada = await make_user()
    configure(SSO_PROVIDERS__ACME__DOMAINS="example.com")
    issuer.person = someone(email=ada.email, email_verified=False)
    assert (await sign_in(browser, issuer)).path == "/sign-in"

    # Entra says nothing; then the settings' word counts.
    issuer.person |= {"email_verified": None}
    assert (await sign_in(browser, issuer)).path == home()


@pytest.mark.asvs("6.8.1", "10.5.2")
async def test_another_subject_with_the_same_address_is_somebody_else(
    browser, issuer, configure, new_browser
):
    """Addresses are given to others when people leave."""
    configure(SSO_PROVIDERS__ACME__DOMAINS="example.com")
    issuer.person = someone()
    await sign_in(browser, issuer)
    issuer.person |= {"sub": "the-next-one"}

    async with new_browser() as client:
        page = await sign_in(type(browser)(client), issuer)

    assert page.path == "/sign-in"
    assert "connected to another account at Acme" in page.text
    assert len(await sessions_of(issuer.person["email"])) == 1


async def test_a_sign_up_that_waits_for_its_mail_cannot_be_prepared_for_somebody_else(
    browser, issuer, mails_to
):
    """A stranger signs up with the address; the owner comes by way of the provider."""
    issuer.person = someone()
    page = await browser.open("/sign-up")
    await page.send(
        "/sign-up", email=issuer.person["email"], password=PASSWORD, display_name="A Stranger"
    )

    assert (await sign_in(browser, issuer)).path == home()

    assert "Grace Hopper" in (await browser.open("/account")).html
    await (await browser.open("/account")).send("/sign-out")
    page = await browser.open("/sign-in")
    page = await page.send("/sign-in", email=issuer.person["email"], password=PASSWORD)
    assert page.path == "/sign-in"
    link = next(one for one in await mails_to(issuer.person["email"]) if "/activate/" in one.body)
    page = await browser.open("/activate/" + link.body.split("/activate/")[1].split()[0])
    assert page.status == 410


async def test_nobody_new_comes_in_where_people_are_invited(browser, issuer, configure):
    configure(SIGN_UP_MODE="invitation")
    issuer.person = someone()

    page = await sign_in(browser, issuer)

    assert page.path == "/sign-in"
    assert "by invitation only" in page.text
    assert not await rows("SELECT 1 FROM users WHERE email = :e", e=issuer.person["email"])


async def test_who_is_invited_comes_into_the_organisation_with_the_role(
    browser, issuer, configure, new_browser
):
    configure(SIGN_UP_MODE="invitation")
    admin = await make_user(role="admin")
    issuer.person = someone()
    async with new_browser() as client:
        office = type(browser)(client)
        await office.sign_in(admin)
        page = await office.open("/admin/users/invitations")
        await page.send("/admin/users/invitations", email=issuer.person["email"], role="reviewer")

    assert (await sign_in(browser, issuer)).path == home()

    [found] = await rows(
        "SELECT m.organization_id, m.role FROM memberships m JOIN users u ON u.id = m.user_id"
        " WHERE u.email = :e",
        e=issuer.person["email"],
    )
    assert (found.organization_id, found.role) == (admin.organization_id, "reviewer")
    assert not await rows(
        "SELECT 1 FROM invitations WHERE email = :e AND accepted_at IS NULL",
        e=issuer.person["email"],
    )


async def test_only_addresses_of_the_domains_sign_up_where_that_is_the_rule(
    browser, issuer, configure
):
    configure(SIGN_UP_MODE="domain", SIGN_UP_DOMAINS='["example.org"]')
    issuer.person = someone()
    assert "Only addresses of our own" in (await sign_in(browser, issuer)).text

    issuer.person = someone(email=someone()["email"].replace(".com", ".org"))
    assert (await sign_in(browser, issuer)).path == home()


async def test_an_account_without_any_way_in_is_its_owner_s(browser, issuer):
    """An administrator or a directory made it; the confirmed address opens it the first time."""
    provisioned = await make_user(password=False)
    issuer.person = someone(email=provisioned.email)

    assert (await sign_in(browser, issuer)).path == home()

    [session] = await sessions_of(provisioned.email)
    assert session.organization_id == provisioned.organization_id


async def test_two_people_at_once_with_one_address_make_one_account(browser, issuer, new_browser):
    issuer.person = someone()
    async with new_browser() as one, new_browser() as two:
        pages = await asyncio.gather(
            *(sign_in(type(browser)(client), issuer) for client in (one, two))
        )
    assert {page.path for page in pages} == {home()}
    assert len(await rows("SELECT 1 FROM users WHERE email = :e", e=issuer.person["email"])) == 1


async def test_the_name_there_cannot_break_anything_here(browser, issuer):
    issuer.person = someone(name="<b>\x00Eve\u202e</b>\n" + "x" * 500)

    await sign_in(browser, issuer)

    [user] = await rows("SELECT display_name FROM users WHERE email = :e", e=issuer.person["email"])
    assert user.display_name.startswith("<b>Eve</b>")
    assert len(user.display_name) <= 120
    assert "<b>" not in (await browser.open("/account")).html
