"""Whole ways through the pages, as a browser goes them."""

import re

import pytest
from sqlalchemy import text

from app.access.forgery import BROWSER_COOKIE, SESSION_COOKIE
from app.auth.next_pages import home
from app.core import db
from tests.auth.page_steps import enrol, forget_step, sign_in_by_page
from tests.factories import PASSWORD, make_organization, make_user
from tests.pages import Browser

NEW_PASSWORD = "another horse, another battery 7"


async def signed_up(browser, address, mails_to, link_in):
    """Sign up and activate; gives the page after it."""
    page = await browser.open("/sign-up")
    page = await page.send(
        "/sign-up", display_name="Grace Hopper", email=address, password=PASSWORD
    )
    assert (page.path, page.heading) == ("/sign-up/sent", "Look into your mail")
    page = await browser.open(f"/activate/{link_in((await mails_to(address))[0])}")
    return await page.send(page.path, follow=False, password=PASSWORD)


async def test_from_sign_up_to_the_second_factor_and_its_recovery_codes(
    browser, new_address, mails_to, link_in
):
    arrived = await signed_up(browser, new_address, mails_to, link_in)
    assert (arrived.status, arrived.headers["location"]) == (303, home())

    app, codes, page = await enrol(browser)
    assert len(set(codes)) == 10
    # The page after enrolling belongs to a new session, and so must the forms on it.
    page = await page.send("/sign-out")
    assert "You are signed out." in page.text
    assert (await browser.open("/account")).path == "/sign-in"

    page = await sign_in_by_page(browser, new_address)
    assert page.address == "/sign-in/second-factor?next=%2Faccount"
    assert home() not in page.links, "nothing of the inside shows before the second step"
    page = await page.send("/sign-in/second-factor", code="000000")
    assert (page.status, page.errors["code"][:13]) == (422, "This code is ")
    await forget_step(new_address)
    page = await page.send("/sign-in/second-factor", code=app.now())
    assert (page.path, page.status) == ("/account", 200)

    await page.send("/sign-out")
    page = await sign_in_by_page(browser, new_address)
    page = await browser.open(next(one for one in page.links if "method=recovery_code" in one))
    page = await page.send("/sign-in/second-factor", code=codes[0].lower())
    assert page.path == "/account"
    page = await browser.open("/account/security")
    assert "9 left" in page.text


@pytest.mark.parametrize("path", ["/sign-in", "/sign-up", "/forgot-password"])
async def test_a_form_without_its_token_is_refused(browser, path):
    page = await browser.open(path)
    page.form(path).fields.pop("csrf_token")
    refused = await page.send(path, email="a@example.com", password=PASSWORD, display_name="A")
    assert refused.status == 403


@pytest.mark.asvs("3.5.1")
async def test_the_token_of_another_browser_is_refused(browser, new_browser):
    await browser.open("/sign-in")
    async with new_browser() as other:
        stolen = (await Browser(other).open("/sign-in")).form("/sign-in").fields["csrf_token"]
    page = await browser.open("/sign-in")
    refused = await page.send(
        "/sign-in", email="a@example.com", password=PASSWORD, csrf_token=stolen
    )
    assert refused.status == 403


async def test_a_token_from_before_signing_in_is_worthless_after_it(browser):
    ada = await make_user()
    before = (await browser.open("/sign-in")).form("/sign-in").fields["csrf_token"]
    page = await sign_in_by_page(browser, ada.email)
    assert page.path == "/account"
    assert (await page.send("/account", display_name="Eve", csrf_token=before)).status == 403


@pytest.mark.asvs("3.5.1")
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
        # A sandboxed frame also has an opaque origin, but no browser calls it our own.
        {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    ],
)
async def test_another_site_cannot_send_our_forms(browser, headers):
    ada = await make_user()
    await browser.sign_in(ada)
    form = (await browser.open("/account")).form("/account")
    refused = await browser.request(
        "POST", "/account", data=form.fields | {"display_name": "Eve"}, headers=headers
    )
    assert refused.status == 403
    assert (await browser.open("/account")).form("/account").fields["display_name"] != "Eve"


async def test_an_opaque_origin_without_the_browsers_word_is_refused(browser):
    ada = await make_user()
    await browser.sign_in(ada)
    form = (await browser.open("/account")).form("/account")
    del browser.client.headers["Sec-Fetch-Site"]
    refused = await browser.request(
        "POST", "/account", data=form.fields, headers={"Origin": "null"}
    )
    assert refused.status == 403


@pytest.mark.asvs("3.7.2")
@pytest.mark.parametrize(
    "wish",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "evil.example",
        "https:/evil.example",
    ],
)
async def test_signing_in_leads_nowhere_else(browser, wish):
    ada = await make_user()
    page = await browser.open(
        str(browser.client.base_url.copy_with(path="/sign-in", params={"next": wish}))
    )
    done = await page.send("/sign-in", follow=False, email=ada.email, password=PASSWORD)
    assert (done.status, done.headers["location"]) == (303, home())
    # Already signed in, the page itself redirects: the same holds there.
    again = await browser.request("GET", "/sign-in", params={"next": wish}, follow=False)
    assert (again.status, again.headers["location"]) == (303, home())


async def test_a_page_that_asks_to_sign_in_is_shown_after_it(browser):
    ada = await make_user()
    page = await browser.open("/account/security?next=/account")
    assert (page.path, page.heading) == ("/sign-in", "Sign in")
    page = await page.send("/sign-in", email=ada.email, password=PASSWORD)
    assert page.address == "/account/security?next=/account"


async def test_whoever_is_signed_in_skips_landing_and_sign_in(browser):
    assert (await browser.open("/")).status == 200
    await browser.sign_in(await make_user())
    for path in ("/", "/sign-in"):
        page = await browser.open(path, follow=False)
        assert (page.status, page.headers["location"]) == (303, home()), path


async def test_a_dead_session_leads_to_sign_in_and_round_no_loop(browser):
    ada = await make_user()
    await browser.sign_in(ada)
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE sessions SET revoked_at = now() WHERE user_id = :u"), {"u": ada.user_id}
        )
    assert (await browser.open("/")).path == "/"
    page = await browser.open("/account")
    assert page.path == "/sign-in"
    # The forms of that page are bound to the dead cookie, and it still opens the door.
    page = await page.send("/sign-in", email=ada.email, password=PASSWORD)
    assert page.path == "/account"


async def test_a_weak_password_loses_nothing_but_itself(browser, new_address):
    page = await browser.open("/sign-up")
    page = await page.send(
        "/sign-up", display_name="Grace Hopper", email=new_address, password="qwertyuiop123456"
    )
    assert page.status == 422
    assert "stolen" in page.errors["password"]
    fields = page.form("/sign-up").fields
    assert (fields["display_name"], fields["email"]) == ("Grace Hopper", new_address)
    assert fields["password"] == ""
    assert "qwertyuiop123456" not in page.html


async def test_mistakes_stand_at_their_fields(browser):
    page = await browser.open("/sign-up")
    page = await page.send("/sign-up", display_name=" ", email="grace@", password="")
    assert page.status == 422
    assert set(page.errors) == {"display_name", "email", "password"}


async def test_a_wrong_sign_in_keeps_the_address_and_counts(browser):
    ada = await make_user()
    page = await browser.open("/sign-in")
    seen = []
    while page.status != 429 and len(seen) < 10:
        page = await page.send("/sign-in", email=ada.email, password="not it, not it")
        assert page.form("/sign-in").fields["email"] == ada.email
        seen.append(page.status)
    assert seen == [401] * 6 + [429]
    assert int(page.headers["retry-after"]) >= 1
    assert "Too many failed attempts" in page.text


@pytest.mark.asvs("6.3.4")
async def test_pages_and_endpoints_share_one_budget(client, browser):
    for _ in range(20):
        await client.post("/api/auth/password-reset", json={"email": "nobody@example.com"})
    page = await browser.open("/forgot-password")
    page = await page.send("/forgot-password", email="nobody@example.com")
    assert page.status == 429


async def test_an_account_that_exists_gets_the_same_pages(browser, mails_to):
    ada = await make_user()
    page = await browser.open("/sign-up")
    page = await page.send("/sign-up", display_name="Eve", email=ada.email, password=PASSWORD)
    assert page.path == "/sign-up/sent"
    assert "already have an account" in (await mails_to(ada.email))[0].subject
    for email in (ada.email, "nobody." + ada.email):
        page = await browser.open("/forgot-password")
        page = await page.send("/forgot-password", email=email)
        assert (page.path, page.heading) == ("/forgot-password/sent", "Look into your mail")


async def test_a_new_password_by_mail_works_once_and_ends_sessions(
    browser, new_browser, mails_to, link_in
):
    ada = await make_user()
    async with new_browser() as other:
        elsewhere = Browser(other)
        await elsewhere.sign_in(ada)
        page = await browser.open("/forgot-password")
        await page.send("/forgot-password", email=ada.email)
        path = f"/reset-password/{link_in((await mails_to(ada.email))[0])}"
        page = await browser.open(path)
        assert ada.email in page.text
        page = await page.send(path, password="short")
        assert "at least 12" in page.errors["password"]
        page = await page.send(path, password=NEW_PASSWORD)
        assert (page.path, "The new password is set." in page.text) == ("/sign-in", True)
        assert (await elsewhere.open("/account")).path == "/sign-in"
    assert (await sign_in_by_page(browser, ada.email, NEW_PASSWORD)).path == "/account"
    used = await browser.open(path)
    assert (used.status, used.heading) == (410, "This link no longer works")
    assert "/forgot-password" in used.links


@pytest.mark.asvs("3.4.5", "14.2.1")
async def test_pages_with_a_token_in_their_address_tell_it_to_nobody(
    browser, new_address, mails_to, link_in
):
    await (await browser.open("/sign-up")).send(
        "/sign-up", display_name="Grace", email=new_address, password=PASSWORD
    )
    path = f"/activate/{link_in((await mails_to(new_address))[0])}"
    page = await browser.open(path)
    wrong = await page.send(path, password="not the one I chose")
    assert "not the password that you chose" in wrong.errors["password"]
    expired = await browser.open(f"/reset-password/{'x' * 43}")
    invited = await browser.open(f"/sign-up?invitation={'x' * 43}")
    for one in (page, wrong, expired, invited):
        assert one.headers["referrer-policy"] == "no-referrer", one.path
        assert one.headers["cache-control"] == "no-store"
    assert (await browser.open("/sign-up")).headers["referrer-policy"] == "same-origin"
    assert (expired.status, invited.status) == (410, 410)


async def test_by_invitation_only_the_form_needs_an_invitation(
    browser, new_browser, new_address, mails_to, configure
):
    configure(SIGN_UP_MODE="invitation")
    page = await browser.open("/sign-up")
    assert page.heading == "By invitation only"
    assert not page.has_form("/sign-up")
    assert "/sign-up" not in (await browser.open("/")).links

    organization = await make_organization(name="Analytical Engines <Ltd>")
    admin = await make_user(organization, role="admin")
    async with new_browser() as other:
        office = Browser(other)
        await office.sign_in(admin)
        page = await office.open("/admin/users/invitations")
        await page.send("/admin/users/invitations", email=new_address, role="reviewer")
    link = re.search(r"/sign-up\?invitation=\S+", (await mails_to(new_address))[0].body)[0]
    page = await browser.open(link)
    assert page.form("/sign-up").fields["email"] == new_address
    assert "You join Analytical Engines <Ltd> as a reviewer." in page.text
    assert "<Ltd>" not in page.html
    page = await page.send("/sign-up", display_name="Grace", password="short")
    assert page.form("/sign-up").fields["invitation"] in link
    page = await page.send("/sign-up", password=PASSWORD)
    assert page.path == "/sign-up/sent"


async def test_only_the_domains_that_are_let_in_are_shown_and_let_in(browser, configure):
    configure(SIGN_UP_MODE="domain", SIGN_UP_DOMAINS='["corp.example"]')
    page = await browser.open("/sign-up")
    assert "corp.example" in page.text
    page = await page.send(
        "/sign-up", display_name="Grace", email="grace@example.com", password=PASSWORD
    )
    assert page.status == 403
    assert "own organisation" in page.errors["email"]


@pytest.mark.asvs("3.3.1", "3.3.2", "3.3.3", "3.3.4")
async def test_cookies_are_for_this_host_and_hidden_from_scripts(browser):
    ada = await make_user()
    page = await browser.open("/sign-in")
    before = page.headers.get_list("set-cookie")
    done = await page.send("/sign-in", follow=False, email=ada.email, password=PASSWORD)
    after = done.headers.get_list("set-cookie")
    assert any(one.startswith(f"{BROWSER_COOKIE}=") for one in before)
    assert any(one.startswith(f"{SESSION_COOKIE}=") for one in after)
    for one in before + after:
        assert one.startswith("__Host-")
        for attribute in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
            assert attribute in one, one


async def test_requests_of_scripts_are_sent_to_sign_in_as_a_whole_page(browser):
    page = await browser.request("GET", "/account", headers={"HX-Request": "true"})
    assert page.headers["hx-redirect"].startswith("/sign-in?next=")
