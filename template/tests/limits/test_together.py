"""A sign-in takes what its address owes in the statement that takes its own limit."""

import asyncio
import re
from secrets import token_hex

import pytest

from app.access.forgery import SESSION_COOKIE
from app.auth.dependencies import SIGN_IN_RATE
from app.limits import connections, lockout
from app.limits.service import left
from app.limits.settings import LimitsSettings
from app.main import create_app
from tests.conftest import new_client
from tests.factories import PASSWORD, make_user

PATH = "/api/auth/sign-in"


@pytest.fixture
def statements(monkeypatch):
    """The functions for limits and sign-ins that the database was asked for."""
    sent, run = [], connections._run

    async def noted(statement, values):
        sent.extend(
            re.findall(r"take_from_limit|sign_in_\w+|lockout_\w+|forgotten_devices", statement)
        )
        return await run(statement, values)

    monkeypatch.setattr(connections, "_run", noted)
    return sent


@pytest.fixture
async def narrow(configure, app):
    """A browser of an app that lets an address ask five times a minute."""
    configure(LIMITS_ADDRESS_PER_MINUTE=5)
    async with new_client(create_app()) as browser:
        yield browser


def guess():
    return {"email": f"{token_hex(8)}@example.com", "password": PASSWORD}


async def guesses(browser, times):
    """All at once, so that the statements come before the hashes, and nothing is refilled."""
    answers = await asyncio.gather(*(browser.post(PATH, json=guess()) for _ in range(times)))
    return sorted(one.status_code for one in answers)


async def test_a_sign_in_from_a_new_address_asks_the_database_twice(client, statements):
    ada = await make_user()
    form = {"email": ada.email, "password": PASSWORD}
    statements.clear()

    assert (await client.post(PATH, json=form)).status_code == 200
    assert statements == ["sign_in_begin", "sign_in_finish"]

    # Also from a browser that is known by then.
    assert lockout.DEVICE_COOKIE in client.cookies
    del client.cookies[SESSION_COOKIE]
    statements.clear()
    assert (await client.post(PATH, json=form)).status_code == 200
    assert statements == ["sign_in_begin", "sign_in_finish"]


async def test_an_address_that_asks_too_often_is_refused_and_costs_no_sign_in(narrow):
    address = narrow._transport.client[0]

    assert await guesses(narrow, 7) == [401] * 5 + [429] * 2

    # On a slow machine one of them has been refilled meanwhile.
    spent = SIGN_IN_RATE.burst - await left(f"sign-in:address:{address}", SIGN_IN_RATE)
    assert spent <= 5


async def test_what_comes_to_no_statement_counts_all_the_same(narrow):
    codes = [
        (
            await narrow.post(PATH, content="{", headers={"content-type": "application/json"})
        ).status_code
        for _ in range(8)
    ]

    assert codes == [422] * 5 + [429] * 3


async def test_sign_ins_at_once_share_one_lease(client):
    key, rate = f"address:{client._transport.client[0]}", LimitsSettings.load().address_rate
    assert rate.lease > 8

    assert await guesses(client, 8) == [401] * 8

    # What the lease is not worth any more has been refilled meanwhile.
    assert rate.depth - await left(key, rate) <= rate.lease


async def test_what_a_sign_in_took_is_a_lease_for_what_follows(client, statements):
    await client.post(PATH, json=guess())
    statements.clear()

    assert (await client.get("/api/auth/session")).status_code == 200

    assert statements == []


async def test_behind_a_prefix_a_form_that_is_refused_counts_too(app):
    async with new_client(app) as browser:
        browser._transport.root_path = "/behind"
        key = f"sign-in:address:{browser._transport.client[0]}"
        before = await left(key, SIGN_IN_RATE)

        assert (await browser.post(f"/behind{PATH}", json={})).status_code == 422

        assert await left(key, SIGN_IN_RATE) == before - 1
