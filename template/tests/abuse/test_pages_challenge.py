"""The widget, on the pages that ask for it and on no other."""

import pytest

from tests.abuse.captcha_server import SITE_KEY
from tests.abuse.conftest import nobody, try_password
from tests.abuse.test_challenges import be_challenged
from tests.abuse.test_challenges import checker as checker
from tests.abuse.test_sign_ins import at
from tests.factories import PASSWORD, make_user

ORIGINS = {"turnstile": "https://challenges.cloudflare.com", "hcaptcha": "https://*.hcaptcha.com"}


def directives(page):
    lines = page.headers["content-security-policy"].split("; ")
    return {name: values.split() for name, _, values in (line.partition(" ") for line in lines)}


@pytest.mark.asvs("3.4.3")
async def test_only_pages_with_the_widget_let_the_provider_in(browser, new_browser, checker):
    origin = ORIGINS[checker.provider]
    before = await browser.open("/sign-in")
    assert origin not in before.headers["content-security-policy"]
    assert "data-sitekey" not in before.html
    async with new_browser() as stranger:
        await be_challenged(at(stranger, browser.client._transport.client[0]))
    for path in ("/sign-in", "/forgot-password"):
        page = await browser.open(path)
        assert f'data-sitekey="{SITE_KEY}"' in page.html
        policy = directives(page)
        assert origin in policy["script-src"]
        assert origin in policy["frame-src"]
        assert policy["default-src"] == ["'none'"]
        assert any(one.startswith("'nonce-") for one in policy["script-src"])
        assert not {"'unsafe-inline'", "'unsafe-eval'", "*"} & {
            one for values in policy.values() for one in values
        }
    # Whoever signs up from there is not challenged: only sign-ins failed.
    other = await browser.open("/sign-up")
    assert "data-sitekey" not in other.html
    assert origin not in other.headers["content-security-policy"]


async def test_the_form_takes_the_answer_of_the_widget(browser, checker):
    ada = await make_user()
    await be_challenged(browser.client)
    page = await browser.open("/sign-in")
    refused = await page.send("/sign-in", email=ada.email, password=PASSWORD)
    assert refused.status == 403
    assert "Show that you are one" in refused.text
    assert "data-sitekey" in refused.html
    field = "cf-turnstile-response" if checker.provider == "turnstile" else "h-captcha-response"
    typed = {"email": ada.email, "password": PASSWORD, field: checker.solve()}
    done = await refused.send("/sign-in", follow=False, **typed)
    assert done.status == 303


async def test_a_reset_takes_it_too(browser, checker):
    await be_challenged(browser.client)
    page = await browser.open("/forgot-password")
    refused = await page.send("/forgot-password", email=nobody())
    assert (refused.status, "Show that you are one" in refused.text) == (403, True)


async def test_what_is_shown_of_a_suspended_network_says_what_helps(browser, limits):
    limits(ABUSE_LOGINS_PER_ADDRESS=2)
    for _ in range(8):
        await try_password(browser.client)
    page = await browser.open("/sign-in")
    refused = await page.send("/sign-in", email=nobody(), password=PASSWORD)
    assert refused.status == 429
    assert "another network" in refused.text
    assert int(refused.headers["retry-after"]) > 60
