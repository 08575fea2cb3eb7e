"""What someone tries who holds a session, a password or a code that is not theirs."""

import asyncio
import secrets
from time import time

import pyotp
import pytest
from sqlalchemy import text

from app.access.forgery import SESSION_COOKIE
from app.auth import passwords, reset
from app.core import db
from tests.factories import PASSWORD, make_user, sign_in, stay_locked_out

NEW = "another long sentence 17"


async def by_password(client, someone, password=PASSWORD):
    """Sign in by the form's endpoint; the session before stays in the browser until then."""
    client.headers["X-CSRF-Token"] = (await client.get("/api/auth/session")).headers["x-csrf-token"]
    answer = await client.post(
        "/api/auth/sign-in", json={"email": someone.email, "password": password}
    )
    if answer.status_code == 200:
        client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return answer


async def enrol(client):
    secret = (await client.post("/api/auth/totp")).json()["secret"]
    answer = await client.post("/api/auth/totp/confirm", json={"code": pyotp.TOTP(secret).now()})
    client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return pyotp.TOTP(secret)


async def change(someone, values):
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(f"UPDATE sessions SET {values} WHERE user_id = :u AND revoked_at IS NULL"),
            {"u": someone.user_id},
        )


async def forget_step(someone):
    """Let the code of this half minute count again, as if time had passed."""
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE totp_devices SET last_step = 0 WHERE user_id = :u"), {"u": someone.user_id}
        )


async def session_of(someone):
    async with db.transaction(elevated=True) as session:
        rows = await session.execute(
            text("SELECT * FROM sessions WHERE user_id = :u AND revoked_at IS NULL"),
            {"u": someone.user_id},
        )
        return rows.one()


def put(client, token):
    client.cookies.clear()
    client.cookies.set(SESSION_COOKIE, token, domain="testserver.local", path="/")


@pytest.mark.asvs("7.2.4")
async def test_signing_in_ends_the_session_that_the_browser_held(client):
    ada, eve = await make_user(), await make_user()
    await by_password(client, eve)
    before = client.cookies[SESSION_COOKIE]

    assert (await by_password(client, ada)).status_code == 200

    assert client.cookies[SESSION_COOKIE] != before
    put(client, before)
    assert (await client.get("/api/me")).status_code == 401


async def test_a_failed_sign_in_leaves_the_session_as_it_is(client):
    ada = await make_user()
    await by_password(client, ada)
    assert (await by_password(client, ada, "not the password")).status_code == 401
    assert (await client.get("/api/me")).status_code == 200


@pytest.mark.asvs("7.6.2")
async def test_a_session_chosen_by_someone_else_is_not_taken_over(client):
    ada = await make_user()
    put(client, chosen := "x" * 43)
    await by_password(client, ada)
    assert client.cookies[SESSION_COOKIE] != chosen
    put(client, chosen)
    assert (await client.get("/api/me")).status_code == 401


@pytest.mark.asvs("7.2.4")
async def test_each_step_of_signing_in_gives_another_token_and_ends_the_one_before(client):
    ada = await make_user()
    await sign_in(client, ada)
    app = await enrol(client)
    await by_password(client, ada)
    pending = client.cookies[SESSION_COOKIE]
    await forget_step(ada)
    done = await client.post("/api/auth/second-factor", json={"code": app.now()})
    assert done.status_code == 200
    assert client.cookies[SESSION_COOKIE] != pending
    put(client, pending)
    assert (await client.get("/api/me")).status_code == 401


async def test_half_way_through_one_can_turn_round_and_leave(client):
    ada = await make_user()
    await sign_in(client, ada)
    await enrol(client)
    await by_password(client, ada)
    assert (await client.get("/api/me")).json()["type"] == "/problems/second-factor-pending"
    pending = client.cookies[SESSION_COOKIE]

    assert (await client.post("/api/auth/sign-out")).status_code == 204

    put(client, pending)
    assert (await client.get("/api/me")).json()["type"] == "/problems/sign-in-first"


@pytest.mark.asvs("14.3.1")
async def test_signing_out_empties_what_the_browser_kept(client):
    await sign_in(client, await make_user())
    answer = await client.post("/api/auth/sign-out")
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert SESSION_COOKIE not in client.cookies


async def test_whoever_never_confirmed_the_address_has_neither_session_nor_sign_in(client):
    ada = await make_user(activated_at=None)
    await sign_in(client, ada)
    assert (await client.get("/api/me")).status_code == 401
    client.cookies.clear()
    assert (await by_password(client, ada)).status_code == 401


@pytest.mark.asvs("6.5.5")
@pytest.mark.parametrize(("seconds", "status"), [(-30, 200), (30, 200), (-90, 422), (90, 422)])
async def test_a_code_is_good_for_its_half_minute_and_one_beside_it(client, seconds, status):
    ada = await make_user()
    await sign_in(client, ada)
    app = await enrol(client)
    await forget_step(ada)
    await by_password(client, ada)
    if (late := time() % 30 - 27) > 0:  # not over the end of a step
        await asyncio.sleep(3 - late)
    code = {"code": app.at(int(time()) + seconds)}
    assert (await client.post("/api/auth/second-factor", json=code)).status_code == status


@pytest.mark.asvs("11.3.3")
async def test_a_secret_put_into_the_row_of_another_opens_nothing(client, new_browser):
    ada, eve = await make_user(), await make_user()
    await sign_in(client, ada)
    await enrol(client)
    async with new_browser() as browser:
        await sign_in(browser, eve)
        app = await enrol(browser)
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "UPDATE totp_devices SET last_step = 0, secret ="
                " (SELECT secret FROM totp_devices WHERE user_id = :e) WHERE user_id = :a"
            ),
            {"a": ada.user_id, "e": eve.user_id},
        )
    await by_password(client, ada)
    answer = await client.post("/api/auth/second-factor", json={"code": app.now()})
    assert answer.status_code >= 400
    assert (await client.get("/api/me")).status_code == 401


async def test_the_password_alone_is_no_fresh_proof_where_there_is_a_second_factor(client):
    ada = await make_user()
    await sign_in(client, ada)
    await enrol(client)
    await change(ada, "authenticated_at = now() - interval '1 h'")

    changed = await client.put("/api/auth/password", json={"old": PASSWORD, "new": NEW})

    assert changed.status_code == 200
    client.headers["X-CSRF-Token"] = changed.json()["csrf_token"]
    refused = await client.delete("/api/auth/totp")
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/prove-it-again")


@pytest.mark.asvs("7.3.2")
@pytest.mark.parametrize("act", ["enrol", "remove", "password"])
async def test_a_stolen_session_cannot_make_itself_last_longer(client, act):
    ada = await make_user()
    await sign_in(client, ada)
    if act == "remove":
        await enrol(client)
    await change(
        ada,
        "expires_at = now() + interval '5 minutes',"
        " authenticated_at = now() - interval '9 minutes'",
    )
    before = await session_of(ada)

    if act == "enrol":
        await enrol(client)
    elif act == "remove":
        assert (await client.delete("/api/auth/totp")).status_code == 200
    else:
        answer = await client.put("/api/auth/password", json={"old": PASSWORD, "new": NEW})
        assert answer.status_code == 200

    after = await session_of(ada)
    assert after.id != before.id
    assert (after.expires_at, after.authenticated_at) == (
        before.expires_at,
        before.authenticated_at,
    )


@pytest.mark.asvs("7.4.3")
async def test_enrolling_and_removing_a_second_factor_end_other_sessions(client, new_browser):
    ada = await make_user()
    await sign_in(client, ada)
    for act in (enrol, lambda browser: browser.delete("/api/auth/totp")):
        async with new_browser() as other:
            await sign_in(other, ada)
            assert (await other.get("/api/me")).status_code == 200
            await act(client)
            assert (await other.get("/api/me")).status_code == 401


async def test_a_sign_in_that_began_before_the_second_factor_does_not_end_without_it(
    client, new_browser, monkeypatch
):
    """Whoever knows the password signs in again and again, to be there at the right moment."""
    ada = await make_user()
    await sign_in(client, ada)
    verify, enrolled = passwords.verify, []

    async def beside(*given):
        if not enrolled:
            enrolled.append(await enrol(client))
        return await verify(*given)

    monkeypatch.setattr(passwords, "verify", beside)
    async with new_browser() as other:
        form = {"email": ada.email, "password": PASSWORD}
        assert (await other.post("/api/auth/sign-in", json=form)).status_code == 401
        assert (await other.get("/api/me")).status_code == 401
        assert (await other.post("/api/auth/sign-in", json=form)).json()["level"] == "pending"


async def test_no_reset_link_goes_to_an_address_that_was_just_given_up(
    client, new_address, mails_to, monkeypatch
):
    ada = await make_user()
    taken = reset.take

    async def take(*given):
        async with db.transaction(elevated=True) as session:
            await session.execute(
                text("UPDATE users SET email = :e WHERE id = :u"),
                {"e": new_address, "u": ada.user_id},
            )
        await taken(*given)

    monkeypatch.setattr(reset, "take", take)
    answer = await client.post("/api/auth/password-reset", json={"email": ada.email})
    assert answer.status_code == 202
    assert [*await mails_to(ada.email), *await mails_to(new_address)] == []


async def test_a_reset_link_dies_when_the_password_is_changed(client, mails_to, link_in):
    ada = await make_user()
    await client.post("/api/auth/password-reset", json={"email": ada.email})
    link = link_in((await mails_to(ada.email))[0])
    await sign_in(client, ada)
    changed = await client.put("/api/auth/password", json={"old": PASSWORD, "new": NEW})
    client.headers["X-CSRF-Token"] = changed.json()["csrf_token"]
    late = await client.post(
        "/api/auth/password-reset/finish", json={"token": link, "password": NEW + "!"}
    )
    assert late.status_code == 410


@pytest.mark.asvs("6.4.3")
async def test_only_the_newest_reset_link_works(client, mails_to, link_in):
    ada = await make_user()
    for _ in range(2):
        await client.post("/api/auth/password-reset", json={"email": ada.email})
    newest, oldest = (link_in(one) for one in await mails_to(ada.email))
    finish = "/api/auth/password-reset/finish"
    late = await client.post(finish, json={"token": oldest, "password": NEW})
    right = await client.post(finish, json={"token": newest, "password": NEW})
    assert (late.status_code, right.status_code) == (410, 200)


async def test_a_link_is_good_for_its_own_purpose_only(client, mails_to, link_in, new_address):
    ada = await make_user()
    await client.post("/api/auth/password-reset", json={"email": ada.email})
    reset = link_in((await mails_to(ada.email))[0])
    form = {"email": new_address, "password": PASSWORD, "display_name": "Grace"}
    await client.post("/api/auth/sign-up", json=form)
    activation = link_in((await mails_to(new_address))[0])
    crossed = [
        await client.post("/api/auth/activate", json={"token": reset, "password": PASSWORD}),
        await client.post(
            "/api/auth/password-reset/finish", json={"token": activation, "password": NEW}
        ),
    ]
    assert [one.status_code for one in crossed] == [410, 410]


async def test_guessing_the_password_of_a_stolen_session_is_slowed_down(client):
    await sign_in(client, await make_user())
    statuses = [
        (await client.post("/api/auth/prove-again", json={"password": f"guess {i}"})).status_code
        for i in range(7)
    ]
    assert statuses == [422] * 6 + [429]


@pytest.mark.asvs("6.6.3")
async def test_codes_guessed_in_many_sessions_share_one_budget(client, new_browser):
    ada = await make_user()
    await sign_in(client, ada)
    await enrol(client)
    statuses = []
    for number in range(6):
        async with new_browser() as browser:
            await by_password(browser, ada)
            form = {"code": f"{number:06d}"}
            statuses.append((await browser.post("/api/auth/second-factor", json=form)).status_code)
    assert statuses[-1] == 429


async def test_the_owner_of_a_look_alike_address_cannot_mint_devices_for_ours(new_browser):
    word = secrets.token_hex(4)
    victim = f"eve@{word}ss.example"
    devices = []
    for look_alike in (
        f"eve@{word}\N{LATIN SMALL LETTER SHARP S}.example",
        f"ｅve@{word}ss.example",
    ):
        async with new_browser() as browser:
            await by_password(browser, await make_user(email=look_alike))
            devices.append(browser.cookies["__Host-device"])
    statuses = []
    for device in (None, *devices):
        async with new_browser() as browser:
            if device:
                browser.cookies.set("__Host-device", device, domain="testserver.local", path="/")
            for i in range(7):
                form = {"email": victim, "password": f"guess {i}"}
                statuses.append((await browser.post("/api/auth/sign-in", json=form)).status_code)
        await stay_locked_out()
    # All of it is one stranger's guessing: a device of one's own would begin at nothing.
    assert statuses == [401] * 6 + [429] * 15
