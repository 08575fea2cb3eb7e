"""An address that the directory mistyped: whoever reads that mailbox does not keep the account."""

import asyncio

import pytest
from sqlalchemy import text

from app.audit import service as audit
from app.core import db
from tests.auth.conftest import link_in as link_in
from tests.factories import PASSWORD
from tests.scim.test_directory import grace

FINISH = "/api/auth/password-reset/finish"
WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest.fixture
async def mistyped(directory, new_browser, mails_to, link_in):
    """Someone under a wrong address, whose reader has asked for a new password."""
    given = grace()
    made = (await directory("POST", "/Users", given)).json()
    wrong = given["userName"]
    async with new_browser() as stranger:
        assert (
            await stranger.post("/api/auth/password-reset", json={"email": wrong})
        ).status_code == 202
        token = link_in((await mails_to(wrong))[0])
        right = f"right.{wrong}"
        mended = given | {"userName": right, "emails": [{"value": right, "primary": True}]}
        yield stranger, token, right, lambda: directory("PUT", f"/Users/{made['id']}", mended)


async def enters(new_browser, email):
    async with new_browser() as browser:
        answer = await browser.post(
            "/api/auth/sign-in", json={"email": email, "password": PASSWORD}
        )
    return answer.status_code == 200


async def test_a_link_that_went_to_the_wrong_address_sets_no_password(mistyped, new_browser):
    stranger, token, right, mend = mistyped
    assert (await mend()).status_code == 200

    set_ = await stranger.post(FINISH, json={"token": token, "password": PASSWORD})

    assert set_.status_code == 410
    assert not await enters(new_browser, right)


async def test_nor_at_the_moment_when_the_address_is_mended(mistyped, new_browser, admin):
    stranger, token, right, mend = mistyped
    async with db.transaction(elevated=True) as session:
        # Whoever sets the password has all but committed: the log keeps the transaction waiting.
        await audit.record(session, "profile.changed", organization_id=admin.organization_id)
        setting = asyncio.create_task(
            stranger.post(FINISH, json={"token": token, "password": PASSWORD})
        )
        await _until_waiting(1)
        mending = asyncio.create_task(mend())
        await _until_waiting(2)
    await asyncio.gather(setting, mending)

    assert not await enters(new_browser, right)


async def _until_waiting(number):
    async with asyncio.timeout(10):
        while True:
            async with db.transaction() as session:
                if await session.scalar(WAITING) >= number:
                    return
            await asyncio.sleep(0.02)
