"""Access and refresh tokens: how programs that people sign in to keep their session."""

import asyncio
from uuid import uuid4

import pyotp
import pytest
from sqlalchemy import text

from app.core import db
from app.core.clock import now
from app.jobs.queue import run_until_empty
from app.mail import service as mail
from app.tokens import signed
from tests.conftest import new_client
from tests.factories import PASSWORD, make_user, sign_in, stay_locked_out
from tests.leftovers import no_old_jobs as no_old_jobs

WAITING = """SELECT count(*) FROM pg_locks WHERE NOT granted
 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


@pytest.fixture
async def phone(app):
    """A program on a phone: no cookies, no fetch metadata."""
    async with new_client(app) as made:
        del made.headers["Sec-Fetch-Site"]
        yield made


@pytest.fixture
async def ada():
    return await make_user(role="admin")


async def begin(phone, someone, **more):
    form = {"email": someone.email, "password": PASSWORD, "device_name": "Ada's phone"} | more
    return await phone.post("/api/auth/token", json=form)


async def signed_in(phone, someone):
    answer = await begin(phone, someone)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def me(phone, tokens):
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return (await phone.get("/api/me", headers=headers)).status_code


async def refresh(phone, tokens):
    form = {"refresh_token": tokens["refresh_token"]}
    return await phone.post("/api/auth/token/refresh", json=form)


async def refreshed(phone, tokens):
    answer = await refresh(phone, tokens)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def change(statement, **values):
    async with db.transaction(elevated=True) as session:
        return await session.execute(text(statement), values)


async def let_grace_pass(tokens):
    await change(
        "UPDATE token_sessions SET rotated_at = rotated_at - interval '11 s' WHERE session_id = :s",
        s=tokens["session_id"],
    )


async def test_signing_in_gives_tokens_that_open_and_no_cookie(phone, ada):
    answer = await begin(phone, ada)
    tokens = answer.json()
    assert (answer.status_code, tokens["level"], tokens["token_type"]) == (200, "full", "Bearer")
    assert 300 <= tokens["expires_in"] <= 600
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert await me(phone, tokens) == 200
    # As the person they are, for changes and for what needs a fresh proof too.
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    made = await phone.post("/api/roles", json={"name": "Made by phone"}, headers=headers)
    assert made.status_code == 201


async def test_a_wrong_password_counts_and_tells_like_at_any_sign_in(phone, ada):
    answers = [await begin(phone, ada, password="wrong") for _ in range(2)]
    unknown = await begin(phone, ada, email="nobody@example.com")
    for answer in (*answers, unknown):
        assert answer.json()["type"] == "/problems/wrong-credentials"
        assert answer.json()["detail"] == unknown.json()["detail"]
    for _ in range(6):
        await begin(phone, ada, password="wrong")
    await stay_locked_out()
    assert (await begin(phone, ada)).status_code == 429


async def test_with_a_second_factor_the_first_step_opens_only_the_second(client, phone, ada):
    await sign_in(client, ada)
    secret = (await client.post("/api/auth/totp")).json()["secret"]
    totp = pyotp.TOTP(secret)
    code = {"code": totp.now()}
    assert (await client.post("/api/auth/totp/confirm", json=code)).status_code == 200

    half = (await begin(phone, ada)).json()
    assert (half["level"], half["refresh_token"], half["second_factors"]) == (
        "pending",
        None,
        ["totp"],
    )
    assert await me(phone, half) == 401
    headers = {"Authorization": f"Bearer {half['access_token']}"}
    path = "/api/auth/token/second-factor"
    wrong = await phone.post(path, json={"code": "000000"}, headers=headers)
    assert wrong.status_code in {401, 422}
    # A code counts once, so this one is that of the next half minute, a bit early.
    code = {"code": totp.at(now().timestamp() + 30)}
    done = await phone.post(path, json=code, headers=headers)
    assert (done.status_code, done.json()["level"]) == (200, "full")
    assert await me(phone, done.json()) == 200
    assert await me(phone, await refreshed(phone, done.json())) == 200
    again = await phone.post(path, json=code, headers=headers)
    assert again.status_code == 401, "the first step is used up"


async def test_refreshing_gives_new_tokens_and_keeps_the_session(phone, ada):
    tokens = await signed_in(phone, ada)
    newer = await refreshed(phone, tokens)
    assert newer["session_id"] == tokens["session_id"]
    assert newer["refresh_token"] != tokens["refresh_token"]
    assert await me(phone, newer) == 200
    assert await me(phone, tokens) == 200, "requests under way are not cut off"


@pytest.mark.asvs("9.2.1")
async def test_an_access_token_ends_by_itself(phone, ada):
    tokens = await signed_in(phone, ada)
    session_id = signed.read("at", tokens["access_token"])[0]
    ended = signed.sign("at", session_id, int(now().timestamp()))
    assert await me(phone, {"access_token": ended}) == 401
    living = signed.sign("at", session_id, int(now().timestamp()) + 60)
    assert await me(phone, {"access_token": living}) == 200


@pytest.mark.asvs("10.4.5")
async def test_twenty_at_once_rotate_once_and_get_the_same_successor(phone, ada, race):
    tokens = await signed_in(phone, ada)
    async with db.transaction(elevated=True) as session:
        # Held until many wait: however slow the machine is, they are there at the same time.
        await session.execute(text("SELECT FROM token_sessions FOR UPDATE"))
        twenty = asyncio.create_task(race(lambda one, _: refresh(one, tokens), phone))
        while (await session.scalar(text(WAITING)) or 0) < 5:
            await asyncio.sleep(0.01)
    answers = await twenty
    assert {one.status_code for one in answers} == {200}
    assert len({one.json()["refresh_token"] for one in answers}) == 1
    row = await change(
        "SELECT counter FROM token_sessions WHERE session_id = :s", s=tokens["session_id"]
    )
    assert row.scalar_one() == 1
    assert await me(phone, await refreshed(phone, answers[7].json())) == 200


@pytest.mark.asvs("10.4.5")
async def test_a_used_refresh_token_ends_the_session_for_both(client, phone, ada):
    tokens = await signed_in(phone, ada)
    newer = await refreshed(phone, tokens)
    await let_grace_pass(newer)
    assert (await refresh(phone, tokens)).json()["type"] == "/problems/invalid-refresh-token"
    assert await me(phone, newer) == 401
    assert (await refresh(phone, newer)).status_code == 401
    await run_until_empty()
    async with db.transaction(elevated=True) as session:
        letters = await mail.inbox(session, to=ada.email)
    assert "was ended" in letters[0].subject
    await sign_in(client, ada)
    [event] = (await client.get("/api/audit?action=token.reused")).json()["events"]
    assert event["target"] == tokens["session_id"]


async def test_one_that_is_two_behind_has_no_grace(phone, ada):
    first = await signed_in(phone, ada)
    third = await refreshed(phone, await refreshed(phone, first))
    assert (await refresh(phone, first)).status_code == 401
    assert await me(phone, third) == 401


@pytest.mark.asvs("9.1.1")
async def test_only_tokens_as_they_were_signed_pass(phone, ada):
    tokens = await signed_in(phone, ada)
    session_id, number = signed.read("rt", tokens["refresh_token"])
    assert signed.read("rt", tokens["access_token"].replace("_at_", "_rt_")) is None
    forged = [
        signed.sign("at", session_id, number),
        signed.sign("rt", uuid4(), 0),
        signed.sign("rt", session_id, 5),
        tokens["access_token"],
        tokens["refresh_token"][:-1] + ("0" if tokens["refresh_token"][-1] != "0" else "1"),
        tokens["refresh_token"][:-1] + "é",
        "z" * 72,
        tokens["refresh_token"][:8] + "z" * 72,
    ]
    for token in forged:
        answer = await refresh(phone, {"refresh_token": token})
        assert answer.json()["type"] == "/problems/invalid-refresh-token", token
        assert token not in answer.text
    assert await me(phone, {"access_token": tokens["refresh_token"]}) == 401
    assert await me(phone, tokens) == 200, "none of that was a reuse"


async def test_a_session_by_cookie_cannot_be_had_as_one_by_token(client, phone, ada):
    await sign_in(client, ada)
    session_id = (await client.get("/api/auth/sessions")).json()[0]["id"]
    row = await change("SELECT CAST(:s AS uuid)", s=session_id)
    token = signed.sign("at", row.scalar_one(), int(now().timestamp()) + 60)
    assert await me(phone, {"access_token": token}) == 401
    tokens = await signed_in(phone, ada)
    cookie = {"Cookie": f"__Host-session={tokens['access_token']}"}
    assert (await phone.get("/api/me", headers=cookie)).status_code == 401


@pytest.mark.asvs("10.4.9")
async def test_it_stands_in_the_list_of_sessions_and_ends_there(client, phone, ada):
    tokens = await signed_in(phone, ada)
    await sign_in(client, ada)
    found = (await client.get("/api/auth/sessions")).json()
    [shown] = [one for one in found if one["id"] == tokens["session_id"]]
    assert shown["device"] == "Ada's phone"
    await client.delete(f"/api/auth/sessions/{tokens['session_id']}")
    assert await me(phone, tokens) == 401
    assert (await refresh(phone, tokens)).status_code == 401


@pytest.mark.asvs("10.4.8")
@pytest.mark.parametrize("way", ["sign out", "others", "password", "suspended", "expired", "idle"])
async def test_it_ends_as_every_session_does(client, phone, ada, way):
    tokens = await signed_in(phone, ada)
    await sign_in(client, ada)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    session = {"s": tokens["session_id"]}
    match way:
        case "sign out":
            assert (await phone.post("/api/auth/sign-out", headers=headers)).status_code == 204
        case "others":
            assert (await client.delete("/api/auth/sessions")).status_code == 204
        case "password":
            form = {"old": PASSWORD, "new": "another horse battery staple 43"}
            assert (await client.put("/api/auth/password", json=form)).status_code == 200
        case "suspended":
            await change(
                "UPDATE memberships SET suspended_at = now() WHERE user_id = :u", u=ada.user_id
            )
        case "expired":
            await change("UPDATE sessions SET expires_at = now() WHERE id = :s", **session)
        case "idle":
            await change(
                "UPDATE sessions SET last_seen_at = now() - (idle_seconds + 1) * interval '1 s'"
                " WHERE id = :s",
                **session,
            )
    assert await me(phone, tokens) == 401
    assert (await refresh(phone, tokens)).status_code == 401


@pytest.mark.asvs("7.2.4", "7.5.1")
async def test_a_program_proves_again_and_gets_new_tokens(phone, ada):
    tokens = await signed_in(phone, ada)
    await change(
        "UPDATE sessions SET authenticated_at = now() - interval '1 h' WHERE user_id = :u",
        u=ada.user_id,
    )
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    key = {"name": "Script", "scopes": ["users.read"]}
    refused = await phone.post("/api/keys", json=key, headers=headers)
    assert refused.json()["type"] == "/problems/prove-it-again"
    path = "/api/auth/token/prove-again"
    wrong = await phone.post(path, json={"password": "wrong"}, headers=headers)
    assert wrong.status_code == 422
    raised = await phone.post(path, json={"password": PASSWORD}, headers=headers)
    assert raised.status_code == 200, raised.text
    assert "set-cookie" not in raised.headers
    newer = raised.json()
    # It sees the keys now only with the new token; the old ones are dead.
    assert (await me(phone, tokens), await me(phone, newer)) == (401, 200)
    assert (await refresh(phone, tokens)).status_code == 401
    assert await me(phone, await refreshed(phone, newer)) == 200
    headers = {"Authorization": f"Bearer {newer['access_token']}"}
    assert (await phone.post("/api/keys", json=key, headers=headers)).status_code == 201


async def test_the_way_of_programs_is_not_for_browsers(client, ada):
    await sign_in(client, ada)
    form = {"password": PASSWORD}
    refused = await client.post("/api/auth/token/prove-again", json=form)
    assert refused.json()["type"] == "/problems/only-for-programs"


@pytest.mark.asvs("7.2.4")
@pytest.mark.parametrize(
    ("method", "path", "form"),
    [
        ("POST", "/api/auth/prove-again", {"password": PASSWORD}),
        ("PUT", "/api/auth/password", {"old": PASSWORD, "new": "another horse, battery 77"}),
    ],
)
async def test_no_program_gets_a_cookie_for_its_tokens(phone, ada, method, path, form):
    tokens = await signed_in(phone, ada)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    refused = await phone.request(method, path, json=form, headers=headers)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-by-token")
    assert "set-cookie" not in refused.headers
    assert await me(phone, tokens) == 200, "and nothing has changed"
    assert (await begin(phone, ada)).status_code == 200
