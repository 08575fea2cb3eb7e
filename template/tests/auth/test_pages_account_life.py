"""Pages of a new mail address, and of what administrators do about sign-ins."""

import re

from tests.auth.page_steps import enrol, let_proof_age
from tests.factories import make_organization, make_user
from tests.pages import Browser


async def test_the_address_is_changed_by_pages(browser, new_address, mails_to, link_in):
    ada = await make_user()
    await browser.sign_in(ada)
    page = await browser.open("/account/email")
    wrong = await page.send("/account/email", email=ada.email)
    assert wrong.errors == {"email": "This is your address already."}
    page = await page.send("/account/email", email=new_address)
    assert page.path == "/account/security"
    assert f"{new_address} takes its place" in page.text
    letter, *_ = await mails_to(new_address)
    page = await browser.open(re.search(r"https://\S+(/account/email/confirm/\S+)", letter.body)[1])
    assert (page.heading, new_address in page.text) == ("Confirm your new address", True)
    assert page.headers["referrer-policy"] == "no-referrer"
    page = await page.send(page.path)
    assert "Your new address counts" in page.text
    assert new_address in page.text


async def test_the_link_leads_by_sign_in_and_comes_back(browser, new_address, mails_to):
    ada = await make_user()
    await browser.sign_in(ada)
    page = await browser.open("/account/email")
    await page.send("/account/email", email=new_address)
    letter, *_ = await mails_to(new_address)
    path = re.search(r"https://\S+(/account/email/confirm/\S+)", letter.body)[1]
    browser.client.cookies.delete("__Host-session")
    page = await browser.open(path)
    assert page.path == "/sign-in"
    page = await page.send("/sign-in", email=ada.email, password=ada.password)
    assert page.path == path


async def test_a_change_is_withdrawn_by_page(browser, new_address):
    await browser.sign_in(await make_user())
    page = await browser.open("/account/email")
    page = await page.send("/account/email", email=new_address)
    page = await page.send("/account/email/withdraw")
    assert "The change is withdrawn" in page.text
    assert new_address not in page.text


async def test_an_administrator_sees_resets_and_ends_sign_ins_by_pages(browser, new_browser):
    organization = await make_organization()
    admin, ada = await make_user(organization, role="admin"), await make_user(organization)
    async with new_browser() as other:
        hers = Browser(other)
        await hers.sign_in(ada)
        await enrol(hers)
        await browser.sign_in(admin)
        page = await browser.open(f"/admin/users/{ada.user_id}")
        assert "Authenticator app" in page.text
        page = await page.send(f"/admin/users/{ada.user_id}/sign-out")
        assert "Signed out everywhere." in page.text
        assert (await hers.open("/account")).path == "/sign-in"
    page = await page.send(f"/admin/users/{ada.user_id}/reset-second-factors")
    assert "The second factors are taken away" in page.text
    assert "Not signed in anywhere." in page.text

    await let_proof_age(admin)
    page = await browser.open(f"/admin/users/{ada.user_id}")
    assert not any("sign-out" in one.action for one in page.forms if "admin" in one.action)


async def test_everyone_is_signed_out_by_page(browser, new_browser):
    organization = await make_organization()
    admin, ada = await make_user(organization, role="admin"), await make_user(organization)
    async with new_browser() as other:
        hers = Browser(other)
        await hers.sign_in(ada)
        await browser.sign_in(admin)
        page = await browser.open("/admin/users")
        page = await page.send("/admin/users/sign-everyone-out")
        assert "Everyone is signed out but you" in page.text
        assert (await hers.open("/account")).path == "/sign-in"
