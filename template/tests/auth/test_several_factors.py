"""What holds for second factors of every kind; the authenticator app is one of them."""

import asyncio

import pyotp
import pytest
from sqlalchemy import text

from app.access.person import identify_alone
from app.auth import second_factors
from app.auth import sign_in as sign_in_service
from app.auth.second_factors import Factor
from app.core import db
from app.core.errors import NotFound
from app.mail import service as mail
from tests.auth.test_second_factor import enrol, forget_step, password_step
from tests.factories import PASSWORD, make_user, sign_in

CARD = Factor("card", "Chip card", "The card that opens the door.", "/card", "/account/card")


@pytest.fixture(autouse=True)
def with_another_kind(monkeypatch):
    """As if a module offered one more."""
    kinds = (CARD, *second_factors.known())
    monkeypatch.setattr(second_factors, "known", lambda: kinds)


async def enable(someone, kind="card"):
    async with db.transaction(elevated=True) as session:
        return await second_factors.enable(session, someone.user_id, kind)


async def disable(someone, kind="card"):
    async with db.transaction(elevated=True) as session:
        return await second_factors.disable(session, someone.user_id, kind)


async def person_of(client):
    return await identify_alone(client.cookies["__Host-session"])


async def test_any_kind_makes_the_password_half_of_it(client):
    ada = await make_user()
    await enable(ada)
    begun = (await password_step(client, ada)).json()
    assert (begun["level"], begun["second_factors"]) == ("pending", ["card"])
    assert (await client.get("/api/me")).status_code == 401

    async with db.transaction(elevated=True) as session:
        started = await second_factors.finish(session, await person_of(client), "card")
    client.cookies.set("__Host-session", started.token, domain="testserver.local", path="/")
    assert (await client.get("/api/me")).json()["second_factor"] is True

    assert await disable(ada) is False
    assert (await password_step(client, ada)).json()["level"] == "full"


async def test_a_half_way_session_is_finished_once(client):
    ada = await make_user()
    await enable(ada)
    await password_step(client, ada)
    person = await person_of(client)

    async def finish():
        async with db.transaction(elevated=True) as session:
            return await second_factors.finish(session, person, "card")

    found = await asyncio.gather(*(finish() for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(one, second_factors.SignedIn) for one in found) == 1
    assert sum(isinstance(one, NotFound) for one in found) == 7


async def test_an_app_that_was_never_confirmed_does_not_finish_for_another_kind(client):
    ada = await make_user()
    await sign_in(client, ada)
    secret = (await client.post("/api/auth/totp")).json()["secret"]
    await enable(ada)
    await password_step(client, ada)
    answer = await client.post("/api/auth/second-factor", json={"code": pyotp.TOTP(secret).now()})
    assert answer.status_code == 409
    assert (await client.get("/api/me")).status_code == 401


async def test_the_password_alone_is_no_fresh_proof_for_any_kind(client):
    ada = await make_user()
    await enable(ada)
    await sign_in(client, ada)
    refused = await client.post("/api/auth/prove-again", json={"password": PASSWORD})
    assert refused.status_code == 422
    assert refused.json()["type"] == "/problems/prove-otherwise"


async def test_recovery_codes_stay_until_the_last_factor_goes(client):
    ada = await make_user()
    await sign_in(client, ada)
    _, codes = await enrol(client)
    assert len(codes) == 10
    assert await enable(ada) == [], "the second kind makes no new codes"

    await client.delete("/api/auth/totp")
    await password_step(client, ada)
    form = {"method": "recovery_code", "code": codes[0]}
    assert (await client.post("/api/auth/second-factor", json=form)).status_code == 200

    await disable(ada)
    await enable(ada)
    await password_step(client, ada)
    form = {"method": "recovery_code", "code": codes[1]}
    assert (await client.post("/api/auth/second-factor", json=form)).status_code == 422


async def test_two_first_factors_at_once_make_one_set_of_codes():
    ada = await make_user()
    found = await asyncio.gather(enable(ada, "card"), enable(ada, "totp"))
    assert sorted(len(codes) for codes in found) == [0, 10]


async def test_a_session_keeps_two_factors_while_another_kind_is_left(client):
    ada = await make_user()
    await sign_in(client, ada)
    await enrol(client)
    await enable(ada)
    gone = await client.delete("/api/auth/totp")
    client.headers["X-CSRF-Token"] = gone.json()["csrf_token"]
    assert (await client.get("/api/me")).json()["second_factor"] is True


async def test_the_audit_log_and_the_mail_name_the_kind(client, mails_to):
    ada = await make_user()
    await sign_in(client, ada)
    app, _ = await enrol(client)
    await forget_step(ada)
    await password_step(client, ada)
    await client.post("/api/auth/second-factor", json={"code": app.now()})
    async with db.transaction(organization_id=ada.organization_id) as session:
        rows = await session.execute(text("SELECT action, detail FROM audit_events ORDER BY id"))
        told = {row.action: row.detail for row in rows}
    assert told["second_factor.enrolled"] == {"kind": "totp"}
    assert told["session.started"] == {"second_factor": "totp"}
    letters: list[mail.Letter] = await mails_to(ada.email)
    assert any("Authenticator app is on" in one.subject for one in letters)


async def test_the_security_api_lists_what_is_set_up(client):
    ada = await make_user()
    await sign_in(client, ada)
    await enable(ada)
    found = (await client.get("/api/auth/security")).json()
    [codes] = found.pop("opens")
    assert (codes["kind"], codes["name"]) == ("Recovery codes", "10 left")
    assert found == {"second_factor": True, "second_factors": ["card"], "recovery_codes_left": 10}


async def test_who_came_another_way_is_asked_for_the_second_factor_unless_it_was_worth_two():
    ada = await make_user()
    where = {"email": ada.email, "method": "sso", "address": "10.0.0.1", "user_agent": ""}
    await enable(ada)
    halfway = await sign_in_service.start_session(ada.user_id, **where)
    assert (halfway.level, halfway.second_factors) == ("pending", ("card",))
    whole = await sign_in_service.start_session(ada.user_id, second_factor=True, **where)
    assert whole.level == "full"
    assert (await identify_alone(whole.token)).second_factor
