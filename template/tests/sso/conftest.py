from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest

from app.sso import discovery
from tests.auth.conftest import mails_to as mails_to
from tests.leftovers import no_old_jobs as no_old_jobs
from tests.pages import Browser, Page
from tests.pages import browser as browser
from tests.sso.issuer import Issuer


@pytest.fixture(autouse=True)
def _know_nothing() -> None:
    discovery.forget()


@pytest.fixture
async def issuer(configure) -> AsyncIterator[Issuer]:
    """A provider of ours, set up here as `acme`."""
    made = Issuer()
    await made.start()
    configure(
        SSO_PROVIDERS__ACME__ISSUER=made.url,
        SSO_PROVIDERS__ACME__CLIENT_ID="us",
        SSO_PROVIDERS__ACME__CLIENT_SECRET=made.secret,
    )
    yield made
    await made.stop()


@pytest.fixture
async def other_issuer(issuer, configure) -> AsyncIterator[Issuer]:
    """A second one, `evil`."""
    made = Issuer()
    await made.start()
    configure(
        SSO_PROVIDERS__EVIL__ISSUER=made.url,
        SSO_PROVIDERS__EVIL__CLIENT_ID="us-there",
        SSO_PROVIDERS__EVIL__CLIENT_SECRET="other",
    )
    yield made
    await made.stop()


async def leave(browser: Browser, name: str = "acme", *, next_path: str = "") -> str:
    """Press the button on the sign-in page; gives the address of the provider."""
    page = await browser.open(f"/sign-in?next={next_path}" if next_path else "/sign-in")
    page = await page.send(f"/sign-in/sso/{name}")
    return goes_to(page)


def goes_to(page: Page) -> str:
    """Where a page that goes on by itself leads."""
    assert page.status == 200, page.text
    return next(link for link in page.links if "state=" in link)


def asked(address: str) -> dict[str, str]:
    return {name: value[0] for name, value in parse_qs(urlsplit(address).query).items()}


async def come_back(browser: Browser, query: str, name: str = "acme", **more) -> Page:
    return await browser.open(f"/sso/{name}/callback?{query}", **more)


async def sign_in(browser: Browser, issuer: Issuer, name: str = "acme", **more) -> Page:
    """The whole way there and back."""
    return await come_back(browser, issuer.approve(await leave(browser, name)), name, **more)
