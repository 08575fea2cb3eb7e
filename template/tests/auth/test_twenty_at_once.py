"""What works once works once, however many try it at the same moment."""

import asyncio

import pytest

from app.auth import second_factors
from app.limits.service import Rate
from tests.auth.test_second_factor import enrol, forget_step, password_step
from tests.factories import make_user, sign_in


@pytest.fixture
def many_tries(monkeypatch):
    """The limit of guesses would answer before the code is looked at."""
    monkeypatch.setattr(second_factors, "TRIES", (Rate(1000, 300, strict=True),))


async def finish(browsers, form):
    """Each browser stands half-way and sends the same code."""
    answers = await asyncio.gather(
        *(one.post("/api/auth/second-factor", json=form) for one in browsers)
    )
    return sorted(one.status_code for one in answers)


@pytest.fixture
async def half_way(client, new_browser):
    """Someone with two factors, and twenty browsers that gave the password."""
    ada = await make_user()
    await sign_in(client, ada)
    app, codes = await enrol(client)
    await forget_step(ada)
    browsers = [new_browser() for _ in range(20)]
    for one in browsers:
        await password_step(one, ada)
    yield browsers, app, codes
    for one in browsers:
        await one.aclose()


@pytest.mark.asvs("6.5.1")
async def test_of_twenty_uses_of_a_step_of_the_app_one_succeeds(half_way, many_tries):
    browsers, app, _ = half_way
    assert await finish(browsers, {"code": app.now()}) == [200] + [422] * 19


@pytest.mark.asvs("6.5.1")
async def test_of_twenty_uses_of_a_recovery_code_one_succeeds(half_way, many_tries):
    browsers, _, codes = half_way
    form = {"method": "recovery_code", "code": codes[0]}
    assert await finish(browsers, form) == [200] + [422] * 19


@pytest.mark.asvs("6.5.1")
async def test_of_twenty_uses_of_a_reset_link_one_succeeds(client, new_browser, mails_to, link_in):
    ada = await make_user()
    await client.post("/api/auth/password-reset", json={"email": ada.email})
    token = link_in((await mails_to(ada.email))[0])

    async def use(number):
        async with new_browser() as browser:
            form = {"token": token, "password": f"another horse, another battery {number}"}
            return (await browser.post("/api/auth/password-reset/finish", json=form)).status_code

    found = await asyncio.gather(*(use(number) for number in range(20)))
    assert sorted(found) == [200] + [410] * 19
