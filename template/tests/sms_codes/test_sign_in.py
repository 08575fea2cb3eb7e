"""Texted codes as a second factor, over HTTP."""

import pyotp
import pytest

from app.auth import second_factors
from app.core import settings as core_settings
from app.limits.service import Rate
from app.sms_codes import codes
from tests.factories import PASSWORD, make_user, sign_in
from tests.sms_codes.conftest import code_in, new_number
from tests.sms_codes.test_phone import PHONE, ask, change, confirm, letters, other_than, put

SEND = "/api/auth/text-message"
PROVE = "/api/auth/prove-again/text-message"


@pytest.fixture
async def ada(client):
    someone = await make_user()
    await sign_in(client, someone)
    return someone


async def password_step(client, someone):
    client.cookies.delete("__Host-session")
    answer = await client.post(
        "/api/auth/sign-in", json={"email": someone.email, "password": PASSWORD}
    )
    client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return answer.json()


async def sent(client, texts_to, number, path=SEND):
    answer = await client.post(path)
    assert answer.status_code == 202, answer.text
    return code_in((await texts_to(number))[0])


async def finish(client, code):
    answer = await client.post(f"{SEND}/confirm", json={"code": code})
    if token := answer.json().get("csrf_token"):
        client.headers["X-CSRF-Token"] = token
    return answer


async def test_with_it_the_password_alone_is_not_enough(client, ada, texts_to):
    number, done = await put(client, texts_to, second_factor=True)
    assert len(done["recovery_codes"]) == 10
    assert (await client.get(PHONE)).json()["second_factor"] is True

    state = await password_step(client, ada)
    assert (state["level"], state["second_factors"]) == ("pending", ["sms"])
    assert (await client.get("/api/me")).status_code == 401
    code = await sent(client, texts_to, number)
    assert (await finish(client, other_than(code))).status_code == 422
    assert (await client.get("/api/me")).status_code == 401
    assert (await finish(client, code)).json()["level"] == "full"
    assert (await client.get("/api/me")).json()["second_factor"] is True
    assert (await finish(client, code)).status_code == 403


async def test_a_program_sends_the_code_where_it_sends_every_other(
    client, ada, texts_to, new_browser
):
    number, _ = await put(client, texts_to, second_factor=True)
    async with new_browser() as program:
        del program.headers["Sec-Fetch-Site"]
        form = {"email": ada.email, "password": PASSWORD}
        half = (await program.post("/api/auth/token", json=form)).json()
        program.headers["Authorization"] = f"Bearer {half['access_token']}"
        code = await sent(program, texts_to, number)
        finish, answers = "/api/auth/token/second-factor", []
        for method, given in (("sms", other_than(code)), ("passkey", code), ("sms", code)):
            wanted = {"method": method, "code": given}
            answers.append(await program.post(finish, json=wanted))
        assert [one.status_code for one in answers] == [422, 422, 200]
        program.headers["Authorization"] = f"Bearer {answers[-1].json()['access_token']}"
        assert (await program.get("/api/me")).json()["second_factor"] is True


@pytest.mark.asvs("6.6.1")
async def test_a_number_alone_is_no_factor(client, ada, texts_to):
    await put(client, texts_to)
    assert (await password_step(client, ada))["level"] == "full"


async def test_a_recovery_code_opens_when_the_phone_is_gone(client, ada, texts_to):
    _, done = await put(client, texts_to, second_factor=True)
    await password_step(client, ada)
    answer = await client.post(
        "/api/auth/second-factor",
        json={"method": "recovery_code", "code": done["recovery_codes"][0]},
    )
    assert answer.json()["level"] == "full"


@pytest.mark.asvs("6.6.2")
async def test_a_code_for_one_thing_is_none_for_another(client, ada, texts_to):
    number, _ = await put(client, texts_to, second_factor=True)
    asked = await ask(client, number)
    to_confirm = code_in((await texts_to(number))[0])
    assert asked
    to_prove = await sent(client, texts_to, number, PROVE)
    # The same session for all three purposes: only the purpose differs.
    assert to_prove != to_confirm
    answer = await client.post(f"{PROVE}/confirm", json={"password": PASSWORD, "code": to_confirm})
    assert answer.status_code == 422
    assert (await confirm(client, to_prove)).status_code == 422
    await change("UPDATE sessions SET level = 'pending' WHERE user_id = :u", u=ada.user_id)
    for code in (to_confirm, to_prove):
        assert (await finish(client, code)).status_code == 422


@pytest.mark.asvs("6.6.2")
async def test_a_code_counts_in_the_sign_in_that_asked_for_it(client, ada, texts_to, new_browser):
    number, _ = await put(client, texts_to, second_factor=True)
    await password_step(client, ada)
    code = await sent(client, texts_to, number)
    async with new_browser() as other:
        await password_step(other, ada)
        assert (await finish(other, code)).status_code == 422
    assert (await finish(client, code)).status_code == 200


@pytest.mark.asvs("6.5.1", "2.3.4")
async def test_of_twenty_uses_at_once_one_succeeds(client, ada, texts_to, race, monkeypatch):
    """Where guessing has no limit, which would answer before the code is looked at."""
    monkeypatch.setattr(second_factors, "TRIES", (Rate(1000, 300, strict=True),))
    monkeypatch.setattr(codes, "TRIES", 1000)
    number, _ = await put(client, texts_to, second_factor=True)
    await password_step(client, ada)
    code = await sent(client, texts_to, number)
    answers = await race(lambda one, _: one.post(f"{SEND}/confirm", json={"code": code}), client)
    found = [answer.status_code for answer in answers]
    assert found.count(200) == 1
    assert set(found) <= {200, 401, 422}


@pytest.mark.asvs("6.6.3")
async def test_guesses_count_with_those_of_all_factors(client, ada, texts_to):
    await put(client, texts_to, second_factor=True)
    await password_step(client, ada)
    for _ in range(3):
        await finish(client, "000000")
    for _ in range(2):
        await client.post(
            "/api/auth/second-factor", json={"method": "recovery_code", "code": "A" * 24}
        )
    assert (await finish(client, "000000")).status_code == 429


async def test_a_changed_number_is_no_factor_any_more(client, ada, texts_to):
    await put(client, texts_to, second_factor=True)
    await put(client, texts_to)
    assert (await client.get(PHONE)).json()["second_factor"] is False
    assert (await password_step(client, ada))["level"] == "full"
    assert any("off" in subject for subject in await letters(ada))


async def test_a_changed_number_can_be_the_factor_at_once(client, ada, texts_to, new_browser):
    await put(client, texts_to, second_factor=True)
    async with new_browser() as other:
        await sign_in(other, ada, second_factor=True)
        second, done = await put(client, texts_to, second_factor=True)
        assert (await other.get("/api/me")).status_code == 401
    assert len(done["recovery_codes"]) == 10
    await password_step(client, ada)
    assert (await finish(client, await sent(client, texts_to, second))).status_code == 200


async def test_a_removed_number_is_no_factor_any_more(client, ada, texts_to, new_browser):
    await put(client, texts_to, second_factor=True)
    async with new_browser() as other:
        await sign_in(other, ada, second_factor=True)
        answer = await client.delete(PHONE)
        client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        assert (await other.get("/api/me")).status_code == 401
    assert (await password_step(client, ada))["level"] == "full"


async def test_its_use_can_be_stopped_and_taken_up_again(client, ada, texts_to):
    number, _ = await put(client, texts_to, second_factor=True)
    answer = await client.delete(f"{PHONE}/second-factor")
    client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    assert (await client.get(PHONE)).json()["second_factor"] is False
    assert (await client.delete(f"{PHONE}/second-factor")).status_code == 409

    assert (await client.post(f"{PHONE}/second-factor")).status_code == 202
    await confirm(client, code_in((await texts_to(number))[0]))
    assert (await client.get(PHONE)).json()["second_factor"] is True


async def test_it_proves_again_who_someone_is_with_the_password(client, ada, texts_to):
    number, _ = await put(client, texts_to, second_factor=True)
    old = "UPDATE sessions SET authenticated_at = now() - interval '1 h' WHERE user_id = :u"
    await change(old, u=ada.user_id)
    assert (await client.delete(PHONE)).status_code == 403
    code = await sent(client, texts_to, number, PROVE)

    wrong = await client.post(f"{PROVE}/confirm", json={"password": "no", "code": code})
    assert wrong.status_code == 422
    assert (await client.delete(PHONE)).status_code == 403
    right = await client.post(f"{PROVE}/confirm", json={"password": PASSWORD, "code": code})
    assert right.status_code == 200, right.text
    client.headers["X-CSRF-Token"] = right.json()["csrf_token"]
    assert (await client.delete(PHONE)).status_code == 200


async def test_beside_an_authenticator_app_either_will_do(client, ada, texts_to):
    secret = (await client.post("/api/auth/totp")).json()["secret"]
    done = await client.post("/api/auth/totp/confirm", json={"code": pyotp.TOTP(secret).now()})
    client.headers["X-CSRF-Token"] = done.json()["csrf_token"]
    number, done = await put(client, texts_to, second_factor=True)
    assert done["recovery_codes"] == [], "they belong to the account, and are there already"

    assert (await password_step(client, ada))["second_factors"] == ["sms", "totp"]
    assert (await finish(client, await sent(client, texts_to, number))).status_code == 200
    await client.delete(PHONE)
    assert (await password_step(client, ada))["second_factors"] == ["totp"]


@pytest.fixture(params=["setting", "hipaa"])
def forbid(request, configure, monkeypatch):
    """Forbid text messages as a second factor, by setting or by the answer."""

    def now():
        if request.param == "setting":
            configure(SMS_AS_SECOND_FACTOR="false")
            return
        answers = core_settings.answers()
        monkeypatch.setitem(answers, "compliance", {"regimes": ["hipaa"]})

    return now


@pytest.mark.asvs("6.6.1")
async def test_where_it_is_forbidden_numbers_are_confirmed_all_the_same(
    client, ada, texts_to, forbid
):
    forbid()
    number = new_number()
    refused = await client.post(PHONE, json={"number": number, "second_factor": True})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-as-factor")
    await put(client, texts_to, number)
    assert (await client.post(f"{PHONE}/second-factor")).status_code == 409


async def test_forbidden_later_it_opens_nothing_and_recovery_codes_do(
    client, ada, texts_to, forbid
):
    number, done = await put(client, texts_to, second_factor=True)
    await password_step(client, ada)
    code = await sent(client, texts_to, number)
    forbid()
    assert (await client.post(SEND)).status_code == 409
    assert (await finish(client, code)).status_code == 409
    assert (await password_step(client, ada))["level"] == "pending", "never the password alone"
    answer = await client.post(
        "/api/auth/second-factor",
        json={"method": "recovery_code", "code": done["recovery_codes"][0]},
    )
    assert answer.json()["level"] == "full"


async def test_forbidden_between_asking_and_confirming_it_becomes_none(
    client, ada, texts_to, forbid
):
    number = new_number()
    await ask(client, number, second_factor=True)
    code = code_in((await texts_to(number))[0])
    forbid()
    assert (await confirm(client, code)).status_code == 200
    assert (await client.get(PHONE)).json()["second_factor"] is False


async def test_whoever_did_not_set_it_up_gets_no_code(client, ada, texts_to):
    await put(client, texts_to)
    await change("UPDATE sessions SET level = 'pending' WHERE user_id = :u", u=ada.user_id)
    assert (await client.post(SEND)).status_code == 409


async def test_a_number_that_gets_codes_is_named_among_what_opens_the_account(client, texts_to):
    await sign_in(client, await make_user())
    number, _ = await put(client, texts_to)
    assert (await client.get("/api/auth/security")).json()["opens"] == []
    await put(client, texts_to, number, second_factor=True)
    found = (await client.get("/api/auth/security")).json()["opens"]
    [phone] = [one for one in found if one["kind"] == "Text messages"]
    assert phone["name"].startswith("+49 ")
    assert number not in phone["name"]


@pytest.fixture
async def known_here(client, ada, texts_to):
    """Ada's number; with a code that it got this browser was known, so strangers have two left."""
    number, _ = await put(client, texts_to, second_factor=True)
    await password_step(client, ada)
    assert (await finish(client, await sent(client, texts_to, number))).status_code == 200
    return number


async def asks_for_codes(new_browser, someone, times, **cookies):
    """What browsers get that never signed in, with the password and one after the other."""
    found = []
    for _ in range(times):
        async with new_browser() as stranger:
            for name, value in cookies.items():
                stranger.cookies.set(name, value, domain="testserver.local", path="/")
            await password_step(stranger, someone)
            found.append((await stranger.post(SEND)).status_code)
    return found


@pytest.mark.asvs("6.1.1", "6.6.3")
async def test_strangers_with_the_password_use_up_none_of_the_owner_s_codes(
    client, ada, texts_to, new_browser, known_here
):
    assert await asks_for_codes(new_browser, ada, 5) == [202, 202, 429, 429, 429]
    await password_step(client, ada)
    assert (await finish(client, await sent(client, texts_to, known_here))).status_code == 200


async def test_a_stranger_who_asks_behind_the_owner_ends_no_code_of_theirs(
    client, ada, texts_to, new_browser, known_here
):
    await password_step(client, ada)
    code = await sent(client, texts_to, known_here)
    assert await asks_for_codes(new_browser, ada, 1) == [202]
    assert (await finish(client, code)).status_code == 200


async def test_nor_does_it_keep_a_message_from_them_that_still_waits(
    client, ada, texts_to, new_browser, known_here
):
    had = len(await texts_to(known_here))
    await password_step(client, ada)
    assert (await client.post(SEND)).status_code == 202
    assert await asks_for_codes(new_browser, ada, 2) == [202, 202]
    # Of the strangers' two the second took the place of the first.
    assert len(await texts_to(known_here)) == had + 2


async def test_a_browser_that_says_it_is_known_is_a_stranger(ada, new_browser, known_here):
    made_up = {"__Host-device": "0" * 32 + "." + "a" * 64}
    assert await asks_for_codes(new_browser, ada, 4, **made_up) == [202, 202, 429, 429]


async def test_all_known_browsers_together_have_as_many_as_one(
    client, ada, texts_to, new_browser, known_here
):
    for _ in range(2):
        await password_step(client, ada)
        assert (await client.post(SEND)).status_code == 202
    async with new_browser() as second:
        device = client.cookies["__Host-device"]
        second.cookies.set("__Host-device", device, domain="testserver.local", path="/")
        await password_step(second, ada)
        found = [(await second.post(SEND)).status_code for _ in range(2)]
    assert found == [202, 429]
