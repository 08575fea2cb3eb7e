"""Who signs in from a browser that we do not know makes the account's owner hear of it."""

import asyncio
from secrets import token_hex

import pytest
from sqlalchemy import text

from app.auth import attempts
from app.core import db
from app.limits import lockout
from app.limits.service import Claim, Rate
from tests.auth.test_second_factor import enrol, forget_step, password_step
from tests.factories import PASSWORD, make_user, sign_in

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def claim():
    return Claim(f"sign-in:{token_hex()}", Rate(5, strict=True))


async def by_password(client, someone):
    form = {"email": someone.email, "password": PASSWORD}
    answer = await client.post("/api/auth/sign-in", json=form)
    assert answer.status_code == 200, answer.text
    return answer


async def notices(mails_to, someone):
    return [one for one in await mails_to(someone.email) if one.subject.startswith("New sign-in")]


async def test_a_new_browser_is_told_of_but_not_the_first_nor_a_known_one(new_browser, mails_to):
    ada = await make_user()
    async with new_browser() as first, new_browser() as second:
        await by_password(first, ada)
        assert await notices(mails_to, ada) == []
        first.cookies.delete("__Host-session")
        await by_password(first, ada)
        assert await notices(mails_to, ada) == []

        second.headers["User-Agent"] = FIREFOX
        await by_password(second, ada)
        (letter,) = await notices(mails_to, ada)
        assert "Firefox on Linux" in letter.body

        second.cookies.delete("__Host-session")
        await by_password(second, ada)
        assert len(await notices(mails_to, ada)) == 1


async def test_a_browser_that_forgets_its_cookies_is_told_of_once_a_day(client, mails_to):
    ada = await make_user()
    await by_password(client, ada)
    client.headers["User-Agent"] = FIREFOX
    for _ in range(3):
        client.cookies.clear()
        await by_password(client, ada)
    assert len(await notices(mails_to, ada)) == 1
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE sessions SET created_at = now() - interval '25 h' WHERE user_id = :u"),
            {"u": ada.user_id},
        )
    client.cookies.clear()
    await by_password(client, ada)
    assert len(await notices(mails_to, ada)) == 2


async def test_the_device_cookie_of_someone_else_makes_no_browser_known(new_browser, mails_to):
    ada, eve = await make_user(), await make_user()
    async with new_browser() as hers, new_browser() as his:
        await by_password(hers, ada)
        await by_password(his, eve)
        his.cookies.delete("__Host-session")
        await by_password(his, ada)
    assert len(await notices(mails_to, ada)) == 1


@pytest.mark.asvs("6.3.1")
async def test_after_a_reset_every_browser_is_a_stranger_until_it_signs_in_again(
    client, new_browser, mails_to, link_in
):
    ada, new = await make_user(), "another long sentence 17"
    async with new_browser() as desk:
        await by_password(desk, ada)
        desk.cookies.delete("__Host-session")
        stolen = desk.cookies["__Host-device"]
        await client.post("/api/auth/password-reset", json={"email": ada.email})
        reset = {"token": link_in((await mails_to(ada.email))[0]), "password": new}
        answer = await client.post("/api/auth/password-reset/finish", json=reset)
        assert answer.status_code == 200
        assert await lockout.known(ada.email.upper(), stolen) is None

        desk.headers["User-Agent"] = FIREFOX
        form = {"email": ada.email, "password": new}
        assert (await desk.post("/api/auth/sign-in", json=form)).status_code == 200
        assert len(await notices(mails_to, ada)) == 1
        again = desk.cookies["__Host-device"]
    assert await lockout.known(ada.email, again) == again
    assert await lockout.known(ada.email, stolen) is None


@pytest.mark.asvs("6.3.1")
async def test_a_forgotten_browser_waits_with_the_strangers(client):
    ada = await make_user()
    form = {"email": ada.email, "password": PASSWORD}
    await by_password(client, ada)
    client.cookies.delete("__Host-session")
    for _ in range(12):
        await lockout.failed(ada.email)
    assert (await client.post("/api/auth/sign-in", json=form)).status_code == 200
    client.cookies.delete("__Host-session")

    async with db.transaction(elevated=True) as session:
        await lockout.forget_devices(session, ada.email)

    assert (await client.post("/api/auth/sign-in", json=form)).status_code == 429


async def test_with_two_factors_the_notice_comes_with_the_second(new_browser, mails_to):
    ada = await make_user()
    async with new_browser() as hers, new_browser() as other:
        await by_password(hers, ada)
        await sign_in(hers, ada)
        app, _ = await enrol(hers)
        await forget_step(ada)
        await password_step(other, ada)
        assert await notices(mails_to, ada) == []
        await other.post("/api/auth/second-factor", json={"code": app.now()})
        assert len(await notices(mails_to, ada)) == 1


async def test_a_device_whose_name_tells_no_age_is_a_stranger(client):
    ada, name = await make_user(), "aB3" * 7 + "x"
    cookie = f"{name}.{lockout._proof(ada.email, name)}"
    assert lockout.device_name(ada.email, cookie) == name
    client.cookies.set("__Host-device", cookie, domain="testserver.local", path="/")
    await by_password(client, ada)
    assert await lockout.known(ada.email, cookie) is None


async def test_a_password_that_was_changed_while_it_was_checked_opens_nothing():
    ada = await make_user()
    browser = attempts.Browser("10.0.0.1", "", None, None)
    browser, account = await attempts.begin(ada.email, browser, claim())
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE passwords SET hash = 'other' WHERE user_id = :u"), {"u": ada.user_id}
        )
    started = await attempts.finish(account, ada.organization_id, ada.email, browser, newer=None)
    assert started is None
    async with db.transaction(elevated=True) as session:
        found = await session.scalar(
            text("SELECT count(*) FROM sessions WHERE user_id = :u"), {"u": ada.user_id}
        )
    assert found == 0


async def test_a_sign_in_waits_for_a_change_of_the_password_that_is_under_way():
    ada = await make_user()
    browser = attempts.Browser("10.0.0.1", "", None, None)
    browser, account = await attempts.begin(ada.email, browser, claim())
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE passwords SET hash = 'other' WHERE user_id = :u"), {"u": ada.user_id}
        )
        waiting = asyncio.create_task(
            attempts.finish(account, ada.organization_id, ada.email, browser, newer=None)
        )
        await asyncio.sleep(0.2)
        assert not waiting.done()
    assert await waiting is None
