"""The security page: password, second factor, sessions, and proving it again."""

import asyncio
import re
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from sqlalchemy import text

from app.core import db
from tests.auth.page_steps import enrol, forget_step, let_proof_age, sign_in_by_page
from tests.factories import PASSWORD, make_user
from tests.pages import Browser

NEW_PASSWORD = "another horse, another battery 7"


@pytest.mark.asvs("7.4.3")
async def test_changing_the_password_ends_other_sessions_and_keeps_this_one(browser, new_browser):
    ada = await make_user()
    async with new_browser() as other:
        elsewhere = Browser(other)
        await elsewhere.sign_in(ada)
        await browser.sign_in(ada)
        page = await browser.open("/account/security")
        page = await page.send("/account/security", old="not it, not it", new=NEW_PASSWORD)
        assert (page.status, page.errors) == (422, {"old": "The password is wrong."})
        page = await page.send("/account/security", old=PASSWORD, new="aaaaaaaaaaaaaaaa")
        assert set(page.errors) == {"new"}
        page = await page.send("/account/security", old=PASSWORD, new=NEW_PASSWORD)
        assert (page.status, page.path) == (200, "/account/security")
        assert "Your password is changed" in page.text
        assert (await elsewhere.open("/account")).path == "/sign-in"


@pytest.mark.asvs("7.5.2")
async def test_sessions_are_listed_and_ended(browser, new_browser):
    ada = await make_user()
    await browser.sign_in(ada)
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1"
    async with new_browser() as first, new_browser() as second:
        first.headers["User-Agent"], second.headers["User-Agent"] = firefox, phone
        for one in (first, second):
            assert (await sign_in_by_page(Browser(one), ada.email)).path == "/account"
        page = await browser.open("/account/security")
        assert page.text.count("This device") == 1
        assert "Firefox on Linux" in page.text
        assert "Safari on iPhone" in page.text
        ends = [form.action for form in page.forms if form.action.endswith("/end")]
        assert len(ends) == 2, "one's own is not among them"
        page = await page.send(ends[0])
        assert "The session is ended." in page.text
        page = await page.send("/account/security/sessions/end-others")
        assert "All other sessions are ended." in page.text
        for one in (first, second):
            assert (await Browser(one).open("/account")).path == "/sign-in"
    assert (await browser.open("/account")).path == "/account"


async def test_nobody_ends_the_session_of_another(browser, new_browser):
    ada, eve = await make_user(), await make_user()
    async with new_browser() as other:
        elsewhere = Browser(other)
        await elsewhere.sign_in(ada)
        await browser.sign_in(eve)
        async with db.transaction(elevated=True) as session:
            found = await session.scalar(
                text("SELECT id FROM sessions WHERE user_id = :u"), {"u": ada.user_id}
            )
        token = (await browser.open("/account")).form("/account").fields["csrf_token"]
        await browser.request(
            "POST", f"/account/security/sessions/{found}/end", data={"csrf_token": token}
        )
        assert (await elsewhere.open("/account")).path == "/account"


@pytest.mark.asvs("7.5.1")
async def test_sensitive_pages_ask_for_a_fresh_proof_and_come_back(browser):
    ada = await make_user()
    await browser.sign_in(ada)
    app, codes, _ = await enrol(browser)
    await forget_step(ada.email)
    await let_proof_age(ada)

    page = await browser.open("/account/security")
    assert "/confirm?next=/account/security" in page.links
    page = await page.send("/account/security/authenticator/remove")
    assert (page.path, page.heading) == ("/confirm", "Confirm that it is you")
    assert parse_qs(urlsplit(page.address).query)["next"] == ["/account/security"]
    page = await page.send("/confirm", password="not it, not it", code=app.now())
    assert page.errors == {"password": "The password is wrong."}
    page = await page.send("/confirm", password=PASSWORD, code="123")
    assert set(page.errors) == {"code"}
    page = await page.send("/confirm", password=PASSWORD, code=app.now())
    assert page.path == "/account/security"

    page = await page.send("/account/security/recovery-codes")
    fresh = re.findall(r"<li>((?:[A-Z0-9]{6}-){3}[A-Z0-9]{6})</li>", page.html)
    assert len(fresh) == 10
    assert not set(fresh) & set(codes)
    page = await browser.open("/account/security")
    assert not any(code in page.html for code in fresh)
    page = await page.send("/account/security/authenticator/remove")
    assert "The authenticator app is removed." in page.text
    assert "/account/security/authenticator" in page.links


async def test_proving_it_again_leads_nowhere_else(browser):
    ada = await make_user()
    await browser.sign_in(ada)
    page = await browser.open("/confirm?next=//evil.example")
    done = await page.send("/confirm", follow=False, password=PASSWORD)
    assert done.headers["location"] == "/account/security"


async def test_enrolling_shows_one_key_until_it_is_confirmed(browser):
    await browser.sign_in(await make_user())
    page = await browser.open("/account/security/authenticator")
    key = re.search(r"[?&]secret=([A-Z2-7]+)", page.html)[1]
    wrong = await page.send("/account/security/authenticator", code="000000")
    assert (wrong.status, set(wrong.errors)) == (422, {"code"})
    empty = await page.send("/account/security/authenticator", code="")
    for one in (wrong, empty, await browser.open("/account/security/authenticator")):
        assert f"secret={key}" in one.html
    assert "<svg" in page.html
    assert "style=" not in page.html, "our own policy would refuse it"


async def test_whoever_has_an_app_already_is_not_shown_a_new_key(browser):
    await browser.sign_in(await make_user())
    await enrol(browser)
    page = await browser.open("/account/security/authenticator")
    assert page.path == "/account/security"


async def test_where_a_second_factor_is_asked_for_every_page_leads_to_it(browser, configure):
    configure(SESSION_SECOND_FACTOR="everyone")
    await browser.sign_in(await make_user(role="admin"))
    page = await browser.open("/admin/users?search=ada")
    assert page.path == "/account/security"
    assert "Your organisation asks for a second factor." in page.text
    page = await browser.open(next(one for one in page.links if "/authenticator" in one))
    app = pyotp.TOTP(re.search(r"[?&]secret=([A-Z2-7]+)", page.html)[1])
    page = await page.send("/account/security/authenticator", code=app.now())
    assert "/admin/users?search=ada" in page.links, "and back to where one wanted to go"
    assert (await browser.open("/admin/users")).path == "/admin/users"


async def test_two_windows_that_begin_at_once_share_one_key(browser):
    await browser.sign_in(await make_user())
    pages = await asyncio.gather(
        *(browser.open("/account/security/authenticator") for _ in range(4))
    )
    assert [page.status for page in pages] == [200] * 4
    page = await browser.open("/account/security/authenticator")
    app = pyotp.TOTP(re.search(r"[?&]secret=([A-Z2-7]+)", page.html)[1])
    page = await page.send("/account/security/authenticator", code=app.now())
    assert page.heading == "Keep your recovery codes"
