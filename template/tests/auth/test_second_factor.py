import asyncio

import pyotp
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app.auth import second_factors
from app.core import db
from tests.factories import PASSWORD, make_user, sign_in


async def enrol(client):
    """Set up an authenticator app; gives it and the recovery codes."""
    secret = (await client.post("/api/auth/totp")).json()["secret"]
    app = pyotp.TOTP(secret)
    answer = await client.post("/api/auth/totp/confirm", json={"code": app.now()})
    assert answer.status_code == 200, answer.text
    client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return app, answer.json()["codes"]


async def password_step(client, someone):
    client.cookies.delete("__Host-session")
    answer = await client.post(
        "/api/auth/sign-in", json={"email": someone.email, "password": PASSWORD}
    )
    client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return answer


async def forget_step(someone):
    """Let the code of this half minute count again, as if time had passed."""
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE totp_devices SET last_step = 0 WHERE user_id = :u"), {"u": someone.user_id}
        )


@pytest.mark.asvs("6.3.4")
async def test_after_enrolling_the_password_alone_is_not_enough(client):
    ada = await make_user()
    await sign_in(client, ada)
    app, _ = await enrol(client)
    await forget_step(ada)

    assert (await password_step(client, ada)).json()["level"] == "pending"
    assert (await client.get("/api/me")).status_code == 401
    assert (await client.post("/api/auth/recovery-codes")).status_code == 401

    done = await client.post("/api/auth/second-factor", json={"code": app.now()})
    assert done.json()["level"] == "full"
    assert (await client.get("/api/me")).json()["second_factor"] is True


@pytest.mark.asvs("6.5.1")
async def test_a_code_counts_once(client):
    ada = await make_user()
    await sign_in(client, ada)
    app = pyotp.TOTP((await client.post("/api/auth/totp")).json()["secret"])
    once = {"code": app.now()}
    assert (await client.post("/api/auth/totp/confirm", json=once)).status_code == 200
    await password_step(client, ada)
    # The code that confirmed the enrolment is still good for the clock, not for us.
    assert (await client.post("/api/auth/second-factor", json=once)).status_code == 422


@pytest.mark.asvs("6.5.1")
async def test_of_ten_uses_of_a_code_at_once_one_succeeds(client, new_browser):
    ada = await make_user()
    await sign_in(client, ada)
    app, _ = await enrol(client)
    await forget_step(ada)
    code = app.now()

    async def use(browser):
        answer = await browser.post("/api/auth/second-factor", json={"code": code})
        return answer.status_code

    browsers = [new_browser() for _ in range(4)]
    for browser in browsers:
        await password_step(browser, ada)
    found = await asyncio.gather(*(use(browser) for browser in browsers))
    assert found.count(200) == 1
    for browser in browsers:
        await browser.aclose()


@pytest.mark.asvs("6.6.3")
async def test_guessing_codes_is_stopped(client):
    ada = await make_user()
    await sign_in(client, ada)
    await enrol(client)
    await password_step(client, ada)
    statuses = [
        (await client.post("/api/auth/second-factor", json={"code": f"{i:06d}"})).status_code
        for i in range(6)
    ]
    assert 429 in statuses


@pytest.mark.asvs("6.5.1")
@pytest.mark.asvs("16.3.1")
async def test_every_refusal_behind_the_password_is_in_the_audit_log(client):
    """A wrong code says more than a wrong password: somebody knows the password."""
    ada = await make_user()
    await sign_in(client, ada)
    await enrol(client)
    wrong = {"code": "000000", "password": PASSWORD}
    await client.post("/api/auth/prove-again", json=wrong)
    await client.post("/api/auth/prove-again", json=wrong | {"password": "no"})
    await password_step(client, ada)
    await client.post("/api/auth/second-factor", json={"code": "000000"})
    await client.post(
        "/api/auth/second-factor", json={"code": "AAAAAA-AAAAAA", "method": "recovery_code"}
    )
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE memberships SET suspended_at = now() WHERE user_id = :u"),
            {"u": ada.user_id},
        )
    client.cookies.clear()
    form = {"email": ada.email, "password": PASSWORD}
    assert (await client.post("/api/auth/sign-in", json=form)).status_code == 403

    async with db.transaction(organization_id=ada.organization_id) as session:
        found = await session.execute(
            text("SELECT action, user_id, detail FROM audit_events ORDER BY sequence")
        )
    events = [(row.action, row.detail) for row in found if row.user_id == ada.user_id]
    assert events == [
        ("second_factor.enrolled", {"kind": "totp"}),
        ("second_factor.failed", {"kind": "totp"}),
        ("identity.proof_failed", {}),
        ("sign-in.password_accepted", {}),
        ("second_factor.failed", {"kind": "totp"}),
        ("second_factor.failed", {"kind": "recovery_code"}),
        ("sign-in.refused", {"method": "password", "suspended": True}),
    ]


async def test_a_recovery_code_stands_in_for_the_phone_once(client, mails_to):
    ada = await make_user()
    await sign_in(client, ada)
    _, codes = await enrol(client)
    assert len(set(codes)) == 10
    await password_step(client, ada)
    form = {"method": "recovery_code", "code": codes[3].lower().replace("-", " ")}
    assert (await client.post("/api/auth/second-factor", json=form)).status_code == 200
    assert any("recovery code was used" in one.subject for one in await mails_to(ada.email))
    await password_step(client, ada)
    assert (await client.post("/api/auth/second-factor", json=form)).status_code == 422


async def test_the_secret_is_not_readable_in_the_table(client):
    ada = await make_user()
    await sign_in(client, ada)
    secret = (await client.post("/api/auth/totp")).json()["secret"]
    async with db.transaction(elevated=True) as session:
        stored = await session.scalar(
            text("SELECT secret FROM totp_devices WHERE user_id = :u"), {"u": ada.user_id}
        )
    assert secret.encode() not in stored


@pytest.mark.asvs("2.3.1")
async def test_an_enrolment_that_was_not_confirmed_counts_for_nothing(client):
    ada = await make_user()
    await sign_in(client, ada)
    await client.post("/api/auth/totp")
    assert (await password_step(client, ada)).json()["level"] == "full"


async def test_removing_the_factor_needs_a_fresh_proof(client):
    ada = await make_user()
    await sign_in(client, ada)
    app, _ = await enrol(client)
    await forget_step(ada)
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "UPDATE sessions SET authenticated_at = now() - interval '1 h' WHERE user_id = :u"
            ),
            {"u": ada.user_id},
        )
    refused = await client.delete("/api/auth/totp")
    assert refused.status_code == 403
    assert refused.json()["type"] == "/problems/prove-it-again"

    without_code = await client.post("/api/auth/prove-again", json={"password": PASSWORD})
    assert without_code.status_code == 422
    proved = await client.post(
        "/api/auth/prove-again", json={"password": PASSWORD, "code": app.now()}
    )
    client.headers["X-CSRF-Token"] = proved.json()["csrf_token"]
    assert (await client.delete("/api/auth/totp")).status_code == 200


@pytest.mark.asvs("6.3.3")
async def test_where_the_policy_asks_for_a_second_factor_nothing_else_opens_first(
    client, configure
):
    configure(SESSION_SECOND_FACTOR="everyone")
    ada = await make_user(role="admin")
    await sign_in(client, ada)
    refused = await client.get("/api/users")
    assert refused.status_code == 403
    assert refused.json()["type"] == "/problems/second-factor-required"
    await enrol(client)
    assert (await client.get("/api/users")).status_code == 200


@pytest.mark.asvs("8.2.3")
async def test_the_app_role_cannot_read_credentials():
    for table in ("passwords", "totp_devices", "recovery_codes", "one_time_links", "sessions"):
        async with db.new_session()() as session:
            with pytest.raises(ProgrammingError, match="permission denied"):
                await session.execute(text(f"SELECT * FROM {table}"))


async def test_signing_in_with_two_factors_day_after_day_never_makes_anyone_wait(
    client, monkeypatch
):
    monkeypatch.setattr(second_factors, "TRIES", ())  # eight days in one second
    ada = await make_user()
    await sign_in(client, ada)
    _, codes = await enrol(client)
    for code in codes[:8]:
        assert (await password_step(client, ada)).status_code == 200
        form = {"method": "recovery_code", "code": code}
        assert (await client.post("/api/auth/second-factor", json=form)).status_code == 200


async def let_proof_age(someone):
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE sessions SET authenticated_at = now() - interval '1 h' WHERE user_id=:u"),
            {"u": someone.user_id},
        )


@pytest.mark.asvs("7.5.1")
async def test_a_recovery_code_proves_again_for_who_lost_the_phone(client, mails_to):
    ada = await make_user()
    await sign_in(client, ada)
    _, codes = await enrol(client)
    await let_proof_age(ada)
    path, form = "/api/auth/prove-again", {"method": "recovery_code", "code": codes[0]}
    for wrong in ({}, {"password": PASSWORD, "code": "A" * 24}):
        assert (await client.post(path, json=form | wrong)).status_code == 422
    assert (await client.delete("/api/auth/totp")).json()["type"] == "/problems/prove-it-again"
    done = await client.post(path, json=form | {"password": PASSWORD})
    assert done.status_code == 200, done.text
    client.headers["X-CSRF-Token"] = done.json()["csrf_token"]
    again = await client.post(path, json=form | {"password": PASSWORD})
    assert again.status_code == 422, "it is used up"
    assert (await client.delete("/api/auth/totp")).status_code == 200
    assert any("recovery code was used" in one.subject for one in await mails_to(ada.email))


async def test_guesses_at_it_are_counted(client):
    ada = await make_user()
    await sign_in(client, ada)
    await enrol(client)
    form = {"method": "recovery_code", "code": "A" * 24, "password": PASSWORD}
    found = [(await client.post("/api/auth/prove-again", json=form)).status_code for _ in range(6)]
    assert found[-1] == 429
