"""An administrator at one browser, a member at another."""

import pytest

from app.access.forgery import OWN_SESSION_COOKIE, SESSION_COOKIE
from tests.auth.conftest import mails_to as mails_to
from tests.factories import make_organization, make_user, sign_in
from tests.leftovers import no_old_jobs as no_old_jobs
from tests.pages import browser as browser

REASON = "She asked why her answers are empty."


@pytest.fixture
async def office(new_browser):
    """The administrator, their browser, a member, and the member's browser."""
    organization = await make_organization()
    admin = await make_user(organization, role="admin", display_name="Grace Hopper")
    ada = await make_user(organization)
    async with new_browser() as his, new_browser() as hers:
        await sign_in(his, admin)
        await sign_in(hers, ada)
        yield admin, his, ada, hers


async def begin(browser, someone, **wanted):
    return await browser.post(
        f"/api/users/{someone.user_id}/impersonation", json={"reason": REASON} | wanted
    )


async def work_as(browser, someone, **wanted):
    """Begin, and go on with the token against forgery that fits."""
    answer = await begin(browser, someone, **wanted)
    assert answer.status_code == 201, answer.text
    browser.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return answer.json()


def cookie(browser, name=SESSION_COOKIE):
    return browser.cookies.get(name)


OWN = OWN_SESSION_COOKIE
