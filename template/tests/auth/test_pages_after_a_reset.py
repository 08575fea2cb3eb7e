"""The page behind a new password by mail, and where one removes what it names."""

from tests.auth.page_steps import enrol, forget_step, sign_in_by_page
from tests.factories import make_user
from tests.pages import Browser

NEW = "another long sentence 17"


async def reset_page(browser, someone, mails_to, link_in):
    page = await browser.open("/forgot-password")
    await page.send("/forgot-password", email=someone.email)
    sent = next(one for one in await mails_to(someone.email) if one.subject.startswith("Choose"))
    path = f"/reset-password/{link_in(sent)}"
    return path, await browser.open(path)


async def make_key(browser):
    page = await browser.open("/account/keys")
    return await page.send("/account/keys", name="Nightly export", scopes=["usage.read_own"])


async def test_behind_the_new_password_stands_what_else_opens_the_account(
    browser, new_browser, mails_to, link_in
):
    ada = await make_user()
    async with new_browser() as thief:
        theirs = Browser(thief)
        await theirs.sign_in(ada)
        app, _, _ = await enrol(theirs)
        await make_key(theirs)
    path, page = await reset_page(browser, ada, mails_to, link_in)
    page = await page.send(path, password=NEW)
    assert page.heading == "The new password is set"
    for said in ("Authenticator app", "Recovery codes", "API key", "Nightly export", "Since"):
        assert said in page.text
    assert page.headers["referrer-policy"] == "no-referrer"
    [onward] = [link for link in page.links if link.startswith("/sign-in")]
    # The way on leads through the second factor to where each can be removed.
    page = await sign_in_by_page(browser, ada.email, NEW, onward)
    await forget_step(ada.email)
    page = await page.send(page.path, code=app.now(), method="totp")
    assert page.path == "/account/security"
    assert "What opens your account" in page.text
    assert "/account/keys" in page.links


async def test_with_a_tick_the_keys_end_too(browser, mails_to, link_in):
    ada = await make_user()
    await browser.sign_in(ada)
    await make_key(browser)
    browser.client.cookies.clear()
    path, page = await reset_page(browser, ada, mails_to, link_in)
    assert "Revoke my API keys, too" in page.text
    page = await page.send(path, password=NEW, end_api_keys="true")
    # Nothing is left to be told, so it goes on to the sign-in.
    assert (page.path, "The new password is set." in page.text) == ("/sign-in", True)
    await sign_in_by_page(browser, ada.email, NEW)
    page = await browser.open("/account/keys")
    assert "Revoked" in page.text
    assert "What opens your account" not in (await browser.open("/account/security")).text


async def test_who_has_no_key_is_not_asked_about_them(browser, mails_to, link_in):
    ada = await make_user()
    _, page = await reset_page(browser, ada, mails_to, link_in)
    assert "API keys" not in page.text
