"""What works once works once, however many try it at the same moment."""

import pytest

from app.auth import second_factors
from app.limits.service import Rate
from tests.auth.test_second_factor import enrol, forget_step, password_step
from tests.factories import make_user, sign_in


@pytest.fixture
def many_tries(monkeypatch):
    """The limit of guesses would answer before the code is looked at."""
    monkeypatch.setattr(second_factors, "TRIES", (Rate(1000, 300, strict=True),))


@pytest.fixture
def finish(race):
    """Each browser stands half-way and sends the same code."""

    async def run(browsers, form):
        def send(browser, _):
            return browser.post("/api/auth/second-factor", json=form)

        return sorted(one.status_code for one in await race(send, *browsers))

    return run


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
async def test_of_twenty_uses_of_a_step_of_the_app_one_succeeds(half_way, many_tries, finish):
    browsers, app, _ = half_way
    assert await finish(browsers, {"code": app.now()}) == [200] + [422] * 19


@pytest.mark.asvs("6.5.1")
async def test_of_twenty_uses_of_a_recovery_code_one_succeeds(half_way, many_tries, finish):
    browsers, _, codes = half_way
    form = {"method": "recovery_code", "code": codes[0]}
    assert await finish(browsers, form) == [200] + [422] * 19


@pytest.mark.asvs("6.5.1")
async def test_of_twenty_uses_of_a_reset_link_one_succeeds(client, race, mails_to, link_in):
    ada = await make_user()
    await client.post("/api/auth/password-reset", json={"email": ada.email})
    token = link_in((await mails_to(ada.email))[0])

    def use(browser, number):
        form = {"token": token, "password": f"another horse, another battery {number}"}
        return browser.post("/api/auth/password-reset/finish", json=form)

    found = await race(use, client)
    assert sorted(one.status_code for one in found) == [200] + [410] * 19
