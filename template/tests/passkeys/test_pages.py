"""The pages around passkeys: what the script of a page sends, what it is answered."""

import json
import re

import pytest

from app.auth.next_pages import home
from app.passkeys import service
from tests.factories import PASSWORD, make_user, set_policy
from tests.pages import Page
from tests.passkeys.conftest import let_proof_age, run
from tests.passkeys.soft_authenticator import SoftAuthenticator

PASSKEYS = "/account/security/passkeys"
STEP = "/sign-in/second-factor/passkey"


async def ask(browser, page: Page, action: str) -> dict:
    """What the page's script does first: ask for options, with the token that the page holds."""
    form = page.form(action)
    place = page.html.index(f'action="{form.action}"'.replace("&", "&amp;"))
    path = page.html[page.html.index('data-options="', place) + 14 :].partition('"')[0]
    token = {"X-CSRF-Token": form.fields["csrf_token"]}
    answer = await browser.client.post(path, headers=token)
    assert answer.status_code == 200, answer.text
    return answer.json()["publicKey"]


async def add(browser, authenticator, name="Laptop", address=PASSKEYS):
    page = await browser.open(address)
    made = authenticator.create(await ask(browser, page, PASSKEYS))
    return await page.send(PASSKEYS, name=name, credential=json.dumps(made))


async def use(browser, authenticator, page, action, **wrong):
    made = authenticator.get(await ask(browser, page, action), **wrong)
    return await page.send(action, credential=json.dumps(made))


async def give_password(browser, someone):
    browser.client.cookies.clear()
    page = await browser.open("/sign-in?next=/account")
    return await page.send("/sign-in", email=someone.email, password=PASSWORD)


@pytest.fixture
async def ada(browser):
    """Someone signed in who has added a passkey; `ada.authenticator` has it."""
    someone = await make_user()
    await browser.sign_in(someone)
    someone.authenticator = SoftAuthenticator()
    page = await add(browser, someone.authenticator)
    assert page.heading == "Keep your recovery codes", page.text
    return someone


async def test_the_first_passkey_shows_the_recovery_codes_and_goes_on(browser):
    await browser.sign_in(await make_user())
    page = await add(browser, SoftAuthenticator(), address=PASSKEYS + "?next=/account")
    assert page.html.count("<li>") >= 10
    assert "/account" in page.links
    page = await add(browser, SoftAuthenticator(), "Phone")
    assert page.path == PASSKEYS
    assert "The passkey is added." in page.text


async def test_the_security_page_leads_to_the_passkeys(browser, ada):
    page = await browser.open("/account/security")
    assert PASSKEYS in page.links
    assert "Laptop" in (await browser.open(PASSKEYS)).text


async def test_the_second_step_asks_for_the_passkey_and_names_the_other_ways(browser, ada):
    page = await give_password(browser, ada)
    assert page.path == STEP
    assert any("method=recovery_code" in link for link in page.links)
    page = await use(browser, ada.authenticator, page, STEP, origin="https://evil.example.com")
    assert page.status == 401
    assert "not accepted here" in page.text
    page = await use(browser, ada.authenticator, page, STEP)
    assert page.path == "/account"


async def test_the_sign_in_page_takes_a_passkey_and_goes_where_one_wanted_to(browser, ada):
    browser.client.cookies.clear()
    page = await browser.open("/sign-in?next=/account")
    page = await use(browser, ada.authenticator, page, "/sign-in/passkey", rp_id="evil.example")
    assert (page.address, page.heading) == ("/sign-in?next=%2Faccount", "Sign in")
    assert "not accepted here" in page.text
    page = await use(browser, ada.authenticator, page, "/sign-in/passkey")
    assert page.path == "/account"
    for stranger in ("https://evil.example.com", "//evil.example.com"):
        browser.client.cookies.clear()
        page = await browser.open(f"/sign-in?next={stranger}")
        made = ada.authenticator.get(await ask(browser, page, "/sign-in/passkey"))
        page = await page.send("/sign-in/passkey", credential=json.dumps(made))
        assert page.path == home()


async def test_the_page_that_asks_again_takes_a_passkey(browser, ada):
    await let_proof_age(ada)
    assert not (await browser.open(PASSKEYS)).has_form(PASSKEYS)
    page = await browser.open(f"/confirm?next={PASSKEYS}")
    assert not page.has_form("/confirm"), "the password alone is no proof for her"
    page = await use(browser, ada.authenticator, page, "/confirm/passkey", cross_origin=True)
    assert page.path == "/confirm"
    assert "not accepted here" in page.text
    page = await use(browser, ada.authenticator, page, "/confirm/passkey")
    assert page.path == PASSKEYS
    assert page.has_form(PASSKEYS)


async def test_who_has_no_passkey_is_asked_for_none(browser):
    ada = await make_user()
    await browser.sign_in(ada)
    assert not (await browser.open("/confirm")).has_form("/confirm/passkey")
    page = await give_password(browser, ada)
    assert page.path == "/account"


async def test_a_form_sent_without_its_script_says_so_and_keeps_the_name(browser, ada):
    page = await browser.open(PASSKEYS)
    page = await page.send(PASSKEYS, name="Phone", credential="")
    assert page.status == 422
    assert page.form(PASSKEYS).fields["name"] == "Phone"
    assert "A passkey needs JavaScript" in page.text
    assert "No passkey came along: it needs JavaScript" in page.text
    for junk in ("{", "[]", '{"id": 1}', "null"):
        page = await page.send(PASSKEYS, name="Phone", credential=junk)
        assert page.status == 422
        assert "cannot be accepted" in page.text
    page = await give_password(browser, ada)
    assert (await page.send(STEP, credential="{}")).status == 422
    for path in ("/sign-in", "/confirm"):
        await browser.sign_in(ada) if path == "/confirm" else browser.client.cookies.clear()
        page = await browser.open(path)
        page = await page.send(f"{path}/passkey", credential="{}")
        assert "cannot be accepted" in page.text
        page = await page.send(f"{path}/passkey", credential="")
        assert "it needs JavaScript" in page.text


async def test_a_name_is_changed_and_stays_text(browser, ada):
    [passkey] = await service.of_person(ada.user_id)
    rename = f"{PASSKEYS}/{passkey.id}/rename"
    page = await (await browser.open(PASSKEYS)).send(rename, name="<b>Old</b> laptop")
    assert "<b>Old</b> laptop" in page.text
    page = await page.send(rename, name="  ")
    assert "The name stays." in page.text


async def test_the_last_passkey_goes_and_with_it_the_second_step(browser, ada):
    [passkey] = await service.of_person(ada.user_id)
    remove = f"{PASSKEYS}/{passkey.id}/remove"
    page = await browser.open(PASSKEYS)
    again = await page.send(remove)
    assert "The passkey is removed." in again.text
    assert "is gone already" in (await page.send(remove, csrf_token=token(again))).text
    assert (await give_password(browser, ada)).path == "/account"


def token(page: Page) -> str:
    return page.form(PASSKEYS).fields["csrf_token"]


async def test_a_blocked_passkey_says_why(browser, ada):
    await run("UPDATE passkeys SET copied_at = now() WHERE user_id = :u", u=ada.user_id)
    page = await browser.open(PASSKEYS)
    assert "Blocked" in page.text
    assert "only a copy explains" in page.text


async def test_where_a_second_factor_is_asked_for_a_passkey_is_one(browser, configure):
    ada = await make_user()
    await set_policy(ada.organization_id, second_factor="everyone")
    await browser.sign_in(ada)
    page = await browser.open(home())
    assert page.path == "/account/security"
    page = await add(browser, SoftAuthenticator())
    assert page.heading == "Keep your recovery codes"
    assert (await browser.open(home())).path == home()


async def test_who_has_only_passkeys_and_lost_them_confirms_with_a_recovery_code(browser):
    """No password either: nothing else would let them remove the lost one."""
    someone = await make_user(password=False)
    await browser.sign_in(someone)
    page = await add(browser, SoftAuthenticator())
    code = re.search(r"[A-Z2-9]{6}(-[A-Z2-9]{6}){3}", page.html)[0]
    await let_proof_age(someone)
    page = await browser.open("/confirm?next=/account/security/passkeys")
    page = await browser.open(next(one for one in page.links if "method=recovery_code" in one))
    assert "password" not in page.form("/confirm").fields
    page = await page.send("/confirm", code=code)
    assert (page.path, page.status) == ("/account/security/passkeys", 200)
