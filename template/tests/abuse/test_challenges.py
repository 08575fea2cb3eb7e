"""Challenges, against a server that speaks the wire of both providers."""

import pytest
from aiohttp import web

from app.abuse import captcha
from app.abuse.settings import CaptchaSettings
from tests.abuse import captcha_server
from tests.abuse.captcha_server import SECRET, SITE_KEY
from tests.abuse.conftest import nobody, right_password, try_password
from tests.abuse.test_sign_ins import at
from tests.abuse.test_sign_ups import sign_up
from tests.conftest import new_client
from tests.factories import PASSWORD, make_user


@pytest.fixture(params=["turnstile", "hcaptcha"])
async def checker(request, limits):
    """A provider, set up; and thresholds at which the third failing login is challenged."""
    made, runner = await captcha_server.start(request.param)
    limits(
        ABUSE_LOGINS_PER_ADDRESS=2,
        CAPTCHA_PROVIDER=request.param,
        CAPTCHA_SITE_KEY=SITE_KEY,
        CAPTCHA_SECRET=SECRET,
        CAPTCHA_VERIFY_URL=made.address,
    )
    yield made
    await runner.cleanup()


async def be_challenged(client):
    for _ in range(4):
        assert (await try_password(client)).status_code == 401


async def with_answer(client, someone, answer):
    headers = {"X-Captcha-Response": answer}
    return await try_password(client, someone.email, PASSWORD, headers=headers)


@pytest.mark.asvs("6.3.1", "2.4.1")
async def test_who_is_challenged_and_solves_it_signs_in(client, checker):
    ada = await make_user()
    await be_challenged(client)
    refused = await right_password(client, ada)
    assert refused.status_code == 403
    problem = refused.json()
    assert problem["type"] == "/problems/challenge-required"
    assert problem["challenge"] == {
        "provider": checker.provider,
        "site_key": SITE_KEY,
        "action": "sign-in",
        "header": "X-Captcha-Response",
    }
    assert checker.asked == []  # nothing was solved: there is nothing to ask
    assert (await with_answer(client, ada, checker.solve())).status_code == 200


async def test_the_provider_gets_the_answer_and_nothing_of_the_person(client, checker):
    await be_challenged(client)
    answer = checker.solve()
    await with_answer(client, await make_user(), answer)
    more = {"sitekey": SITE_KEY} if checker.provider == "hcaptcha" else {}
    assert checker.asked == [{"secret": SECRET, "response": answer} | more]


@pytest.mark.asvs("2.4.1")
async def test_an_answer_counts_once(client, checker):
    ada, answer = await make_user(), checker.solve()
    await be_challenged(client)
    assert (await with_answer(client, ada, answer)).status_code == 200
    client.cookies.clear()
    again = await with_answer(client, ada, answer)
    assert (again.status_code, again.json()["type"]) == (403, "/problems/challenge-failed")


@pytest.mark.parametrize("answer", ["made up", "x" * 5000, "ä", "a\tb"])
async def test_an_answer_that_nobody_solved_is_refused(client, checker, answer):
    await be_challenged(client)
    headers = {b"X-Captcha-Response": answer.encode()}
    refused = await try_password(client, nobody(), headers=headers)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/challenge-failed")


async def test_solved_for_another_site_is_not_solved(client, checker):
    checker.hostname = "attacker.example"
    await be_challenged(client)
    refused = await with_answer(client, await make_user(), checker.solve())
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/challenge-failed")


async def test_solved_for_another_form_is_not_solved(client, checker):
    await be_challenged(client)
    answered = await with_answer(client, await make_user(), checker.solve("sign-up"))
    # hCaptcha does not say for which form.
    assert answered.status_code == (403 if checker.provider == "turnstile" else 200)


BROKEN = {
    "an error": lambda: web.Response(status=500, text="no"),
    "no json": lambda: web.Response(text="<html>It works!</html>"),
    "a list": lambda: web.json_response([True]),
    "success as a word": lambda: web.json_response({"success": "true"}),
    "success as a number": lambda: web.json_response({"success": 1}),
    "no reason": lambda: web.json_response({"success": False}),
    "odd codes": lambda: web.json_response({"success": False, "error-codes": 7}),
    "a redirect": lambda: web.Response(status=302, headers={"Location": "/siteverify"}),
    "too much": lambda: web.Response(text='{"success": true, "x": "' + "x" * 20_000 + '"}'),
    "our secret is wrong": lambda: web.json_response(
        {"success": False, "error-codes": ["invalid-input-secret"]}
    ),
}


@pytest.mark.asvs("16.5.3")
@pytest.mark.parametrize("how", BROKEN)
async def test_without_a_clear_yes_nobody_comes_in(client, checker, how):
    await be_challenged(client)
    checker.broken = BROKEN[how]()
    refused = await with_answer(client, await make_user(), checker.solve())
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/challenge-unavailable")
    assert "a browser that you signed in with before" in refused.json()["detail"]


@pytest.mark.parametrize("how", ["down", "slow"])
async def test_while_the_provider_is_away_only_known_devices_come_in(
    client, new_browser, checker, limits, monkeypatch, how
):
    monkeypatch.setattr(captcha, "SECONDS", 0.2)
    ada = await make_user()
    assert (await right_password(client, ada)).status_code == 200
    client.cookies.delete("__Host-session")
    async with new_browser() as stranger:
        at(stranger, client._transport.client[0])
        await be_challenged(stranger)
        if how == "down":
            limits(CAPTCHA_VERIFY_URL="http://127.0.0.1:9/siteverify")
        checker.seconds = 1
        refused = await with_answer(stranger, await make_user(), checker.solve())
        assert refused.json()["type"] == "/problems/challenge-unavailable"
        assert int(refused.headers["retry-after"]) == 60
    assert (await right_password(client, ada)).status_code == 200


async def test_a_flood_of_sign_ups_is_challenged(app, checker, limits):
    limits(ABUSE_SIGN_UPS_USUAL=2)
    for _ in range(2):
        async with new_client(app) as client:
            last = await sign_up(client)
    assert last.status_code == 403
    async with new_client(app) as client:
        refused = await sign_up(client)
        assert refused.json()["challenge"]["action"] == "sign-up"
        client.headers["X-Captcha-Response"] = checker.solve("sign-up")
        assert (await sign_up(client)).status_code == 202


async def test_reset_and_tokens_are_challenged_too(client, checker):
    ada = await make_user()
    await be_challenged(client)
    token = {"email": ada.email, "password": ada.password, "device_name": "A phone"}
    for path, form in (
        ("/api/auth/password-reset", {"email": ada.email}),
        ("/api/auth/token", token),
    ):
        refused = await client.post(path, json=form)
        assert (refused.status_code, refused.json()["type"]) == (
            403,
            "/problems/challenge-required",
        )
        headers = {"X-Captcha-Response": checker.solve()}
        assert (await client.post(path, json=form, headers=headers)).status_code in {200, 202}


async def test_a_provider_without_its_keys_is_refused(configure):
    configure(CAPTCHA_PROVIDER="turnstile")
    with pytest.raises(ValueError, match="CAPTCHA_SECRET belong"):
        CaptchaSettings.load()


async def test_production_refuses_keys_that_solve_everything(configure):
    configure(
        CAPTCHA_PROVIDER="turnstile",
        CAPTCHA_SITE_KEY="1x00000000000000000000AA",
        CAPTCHA_SECRET="1x0000000000000000000000000000000AA",
    )
    assert CaptchaSettings.load().production_problems() != []


async def test_the_description_names_the_header_of_an_answer(client):
    """Of each door that may ask for one, and of no other operation."""
    described = (await client.get("/api/openapi.json")).json()
    found = {
        path
        for path, operations in described["paths"].items()
        for one in operations.get("post", {}).get("parameters", [])
        if (one["in"], one["name"]) == ("header", "X-Captcha-Response")
    }
    doors = {"sign-up", "sign-in", "password-reset", "token"}
    assert found == {f"/api/auth/{one}" for one in doors}
