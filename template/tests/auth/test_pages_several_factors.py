"""The pages when there are several kinds of second factor."""

import re

from tests.auth.page_steps import enrol, sign_in_by_page
from tests.auth.test_several_factors import enable, with_another_kind  # noqa: F401
from tests.factories import make_user


async def test_the_second_step_leads_to_the_first_factor_and_names_the_others(browser):
    ada = await make_user()
    await browser.sign_in(ada)
    await enrol(browser)
    browser.client.cookies.delete("__Host-session")
    page = await sign_in_by_page(browser, ada.email)
    assert page.path == "/sign-in/second-factor"
    await enable(ada)
    moved = await browser.request("GET", "/sign-in/second-factor?next=/account", follow=False)
    assert moved.headers["location"] == "/card?next=%2Faccount"
    page = await browser.open("/sign-in/second-factor?method=totp&next=/account")
    assert "/card?next=%2Faccount" in page.links
    assert "/sign-in/second-factor?method=recovery_code&next=%2Faccount" in page.links


async def test_who_has_neither_app_nor_page_is_asked_for_a_recovery_code(browser):
    ada = await make_user()
    codes = await enable(ada, "gone")
    page = await sign_in_by_page(browser, ada.email)
    page = await page.send("/sign-in/second-factor", code=codes[0])
    assert page.path == "/account"


async def test_the_security_page_lists_every_kind(browser):
    ada = await make_user()
    await browser.sign_in(ada)
    page = await browser.open("/account/security")
    assert {"/account/card", "/account/security/authenticator"} <= set(page.links)
    await enable(ada)
    page = await browser.open("/account/security")
    assert re.search(r"Chip card\s+On", page.text)
    assert "10 left" in page.text


async def test_confirming_asks_for_no_password_where_it_would_not_count(browser):
    ada = await make_user()
    await enable(ada)
    await browser.sign_in(ada)
    page = await browser.open("/confirm")
    assert 'name="password"' not in page.html
