"""What strangers use up is not the owner's."""

import pytest
from sqlalchemy import select

from app.auth.dependencies import SIGN_IN_RATE
from app.core.db import transaction
from app.limits import lockout, service
from app.limits.models import Lockout
from app.modules import has
from tests.auth.test_second_factor import enrol, forget_step, password_step
from tests.factories import PASSWORD, make_user, sign_in

FAR_MORE = SIGN_IN_RATE.burst + 40
PAGES = ["/sign-in"] if has("web") else []


@pytest.fixture
async def at_home(client):
    """Someone with two factors, at a browser from which she has signed in with both."""
    ada = await make_user()
    await sign_in(client, ada)
    app, _ = await enrol(client)
    await forget_step(ada)
    await password_step(client, ada)
    done = await client.post("/api/auth/second-factor", json={"code": app.now()})
    assert done.status_code == 200
    await forget_step(ada)
    return ada, app


async def test_who_knows_the_password_cannot_use_up_the_owner_s_tries(client, new_browser, at_home):
    ada, app = at_home
    async with new_browser() as stranger:
        await password_step(stranger, ada)
        statuses = [
            (await stranger.post("/api/auth/second-factor", json={"code": f"{i:06d}"})).status_code
            for i in range(7)
        ]
    assert statuses[-1] == 429
    await password_step(client, ada)
    done = await client.post("/api/auth/second-factor", json={"code": app.now()})
    assert done.status_code == 200


async def test_a_known_device_does_not_guess_without_end_either(client, at_home):
    ada, _ = at_home
    await password_step(client, ada)
    statuses = [
        (await client.post("/api/auth/second-factor", json={"code": f"{i:06d}"})).status_code
        for i in range(7)
    ]
    assert statuses[-1] == 429


async def test_strangers_share_one_budget_however_many_browsers_they_have(new_browser, at_home):
    ada, _ = at_home
    statuses = []
    for i in range(7):
        async with new_browser() as stranger:
            await password_step(stranger, ada)
            answer = await stranger.post("/api/auth/second-factor", json={"code": f"{i:06d}"})
            statuses.append(answer.status_code)
    assert statuses[-1] == 429


async def test_strangers_cannot_use_up_the_owner_s_reset_links(client, new_browser, mails_to):
    ada = await make_user()
    await password_step(client, ada)
    form = {"email": ada.email}

    async def links():
        return sum("new password" in one.subject for one in await mails_to(ada.email))

    async with new_browser() as stranger:
        for _ in range(7):
            assert (await stranger.post("/api/auth/password-reset", json=form)).status_code == 202
    assert await links() == 5
    await client.post("/api/auth/password-reset", json=form)
    assert await links() == 6


async def test_the_last_reset_mail_for_a_while_says_so(client, mails_to):
    ada = await make_user()
    for _ in range(7):
        await client.post("/api/auth/password-reset", json={"email": ada.email})
    letters = await mails_to(ada.email)
    assert ["This is the last link" in one.body for one in letters] == [True, *[False] * 4]


@pytest.mark.asvs("6.3.1")
async def test_one_address_has_one_budget_of_sign_ins_and_a_refusal_locks_nobody_out(new_browser):
    """However they are sent: a right password, in a browser or a program, or a form without one."""
    ada, eve = await make_user(), await make_user()
    form = {"email": ada.email, "password": PASSWORD, "device_name": "cli"}
    async with new_browser() as office:
        for path in ("/api/auth/sign-in", "/api/auth/token"):
            assert (await office.post(path, json=form)).status_code == 200
            office.cookies.clear()
        wrong = {"email": eve.email, "password": "wrong", "device_name": "cli"}
        for path in ("/api/auth/sign-in", "/api/auth/token", *PAGES):
            assert await tries_without_a_password(office) < FAR_MORE
            service._leases.cache_clear()  # as another process, which has to ask
            sent = {"data": wrong} if path == "/sign-in" else {"json": wrong}
            assert (await office.post(path, **sent)).status_code == 429
        assert await attempts_at(eve) == 0
    async with new_browser() as home:
        assert (await home.post("/api/auth/sign-in", json=form)).status_code == 200


async def tries_without_a_password(browser):
    """How many are accepted until one is refused; some come back meanwhile."""
    for number in range(FAR_MORE):
        if (await browser.post("/api/auth/sign-in", json={})).status_code == 429:
            return number
    return FAR_MORE


async def attempts_at(someone):
    async with transaction() as db:
        query = select(Lockout.attempts).where(Lockout.id == lockout.counter(someone.email, None))
        return await db.scalar(query) or 0
