"""What a passkey opens: sign-in without a password, the second step, sensitive actions."""

import copy

import pytest

from app.auth.dependencies import SIGN_IN_RATE
from app.jobs.queue import run_until_empty
from app.passkeys.jobs import forget
from tests.factories import make_user, set_policy, sign_in
from tests.passkeys.conftest import Owner, audited, let_proof_age, new_owner, run
from tests.passkeys.soft_authenticator import SoftAuthenticator, data, text


@pytest.mark.asvs("6.3.3")
async def test_a_passkey_alone_signs_in_and_counts_as_two_factors(owner, configure):
    configure(SESSION_SECOND_FACTOR="everyone")
    await owner.leave()
    answer = await owner.use("sign-in")
    assert (answer.status_code, answer.json()["level"]) == (200, "full")
    me = (await owner.client.get("/api/me")).json()
    assert (me["email"], me["second_factor"]) == (owner.someone.email, True)
    [used] = (await owner.client.get("/api/passkeys")).json()
    assert used["last_used_at"] is not None
    assert (await audited(owner.someone))[-1] == "session.started"


async def test_what_strangers_are_asked_tells_nothing_of_anyone(client, owner):
    await owner.leave()
    first, second = await owner.options("sign-in"), await owner.options("sign-in")
    assert first["allowCredentials"] == []
    assert first["userVerification"] == "required"
    assert first.pop("challenge") != second.pop("challenge")
    assert first == second


async def test_the_password_alone_is_half_of_the_way_and_the_passkey_the_rest(owner):
    half = (await owner.give_password()).json()
    assert (half["level"], half["second_factors"]) == ("pending", ["passkey"])
    assert (await owner.client.get("/api/me")).status_code == 401
    options = await owner.options("second-factor")
    assert [one["id"] for one in options["allowCredentials"]] == [
        text(name) for name in owner.authenticator.credentials
    ]
    assert (await owner.use("second-factor")).json()["level"] == "full"
    assert (await owner.client.get("/api/me")).json()["second_factor"] is True


async def test_a_recovery_code_stands_in_for_a_lost_passkey(client):
    ada = await make_user()
    owner = Owner(await sign_in(client, ada), ada)
    codes = (await owner.add()).json()["codes"]
    await owner.give_password()
    form = {"method": "recovery_code", "code": codes[0]}
    assert (await client.post("/api/auth/second-factor", json=form)).json()["level"] == "full"


@pytest.mark.asvs("7.5.1")
async def test_a_passkey_opens_sensitive_actions_again(owner):
    await let_proof_age(owner.someone)
    assert (await owner.client.post("/api/passkeys/options")).status_code == 403
    before = owner.client.cookies["__Host-session"]
    assert (await owner.use("confirm")).json()["level"] == "full"
    assert owner.client.cookies["__Host-session"] != before
    assert (await owner.client.post("/api/passkeys/options")).status_code == 200
    assert "identity.proved" in await audited(owner.someone)


WRONG = {
    "origin": {"origin": "https://testserver.evil.example.com"},
    "plain origin": {"origin": "http://testserver"},
    "RP ID": {"rp_id": "evil.example.com"},
    "handle": {"handle": text(b"h" * 32)},
    "other site's frame": {"cross_origin": True},
}


@pytest.mark.parametrize("purpose", ["sign-in", "second-factor", "confirm"])
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_what_was_signed_elsewhere_or_for_someone_else_is_refused(owner, purpose, wrong):
    await arrive_at(owner, purpose)
    refused(await owner.use(purpose, **wrong))
    assert (await owner.use(purpose)).status_code == 200, "and the right one is accepted"


@pytest.mark.asvs("6.3.3")
@pytest.mark.parametrize("purpose", ["sign-in", "second-factor", "confirm"])
async def test_an_owner_whom_the_device_did_not_check_is_refused(owner, purpose):
    await arrive_at(owner, purpose)
    owner.authenticator.verified = False
    refused(await owner.use(purpose))


@pytest.mark.parametrize("purpose", ["sign-in", "second-factor", "confirm"])
async def test_an_answer_counts_once(owner, purpose):
    await arrive_at(owner, purpose)
    made = owner.authenticator.get(await owner.options(purpose))
    cookies, headers = dict(owner.client.cookies), dict(owner.client.headers)
    assert (await owner.send(purpose, made)).status_code == 200
    # Again as the same browser, with what it had then.
    owner.client.cookies.clear()
    owner.client.cookies.update(cookies)
    owner.client.headers.update(headers)
    assert (await owner.send(purpose, made)).status_code in {401, 422}


@pytest.mark.asvs("6.5.1")
async def test_of_twenty_uses_of_an_answer_at_once_one_succeeds(owner, race):
    await owner.leave()
    made = owner.authenticator.get(await owner.options("sign-in"))
    form, before = {"credential": made}, await sessions_of(owner.someone)
    headers = {"Cookie": f"__Host-browser={owner.client.cookies['__Host-browser']}"}

    def use(browser, _):
        return browser.post("/api/passkeys/sign-in", json=form, headers=headers)

    answers = await race(use, owner.client)
    statuses = [one.status_code for one in answers]
    assert statuses.count(200) == 1, statuses
    assert await sessions_of(owner.someone) == before + 1


async def test_a_challenge_that_we_did_not_give_is_refused(owner):
    await owner.leave()
    answer = await owner.use("sign-in", challenge=text(b"c" * 32))
    assert answer.json()["type"] == "/problems/challenge-expired"


@pytest.mark.asvs("6.5.5")
async def test_a_challenge_is_good_for_five_minutes(owner):
    await owner.leave()
    made = owner.authenticator.get(await owner.options("sign-in"))
    await run("UPDATE passkey_challenges SET expires_at = expires_at - interval '301 s'")
    assert (await owner.send("sign-in", made)).json()["type"] == "/problems/challenge-expired"
    await forget()
    left = await run("SELECT count(*) FROM passkey_challenges WHERE expires_at < now()")
    assert left.scalar_one() == 0


async def test_a_challenge_is_not_readable_in_the_table(owner):
    await owner.leave()
    challenge = data((await owner.options("sign-in"))["challenge"])
    rows = await run("SELECT digest, browser FROM passkey_challenges")
    assert not [row for row in rows if challenge in row]


async def test_a_challenge_counts_for_the_browser_that_asked(owner, new_browser):
    await owner.leave()
    made = owner.authenticator.get(await owner.options("sign-in"))
    async with new_browser() as other:
        thief = Owner(other, owner.someone)
        await thief.leave()
        stolen = await thief.send("sign-in", made)
    assert stolen.json()["type"] == "/problems/challenge-expired"
    assert (await owner.send("sign-in", made)).status_code == 200


async def test_a_challenge_counts_for_what_it_was_asked_for(owner):
    await let_proof_age(owner.someone)
    # A site that shows our sign-in must not get a sensitive action out of it, nor the other way.
    for asked, used in (("sign-in", "confirm"), ("confirm", "sign-in")):
        made = owner.authenticator.get(await owner.options(asked))
        assert (await owner.send(used, made)).json()["type"] == "/problems/challenge-expired"


async def test_a_signature_that_was_touched_is_refused(owner):
    await owner.leave()
    for name in ("signature", "authenticatorData"):
        made = copy.deepcopy(owner.authenticator.get(await owner.options("sign-in")))
        spoilt = bytearray(data(made["response"][name]))
        spoilt[-1] ^= 1
        made["response"][name] = text(bytes(spoilt))
        refused(await owner.send("sign-in", made))
    assert (await owner.client.get("/api/me")).status_code == 401
    await sign_in(owner.client, owner.someone)
    [kept] = (await owner.client.get("/api/passkeys")).json()
    assert kept["copied_at"] is None, "nobody blocks the passkey of another by sending nonsense"


async def test_an_unknown_passkey_and_a_removed_one_are_refused_alike(owner):
    stranger = SoftAuthenticator()
    options = {"pubKeyCredParams": [{"alg": -7}], "rp": {"id": "testserver"}, "challenge": ""}
    stranger.create(options | {"user": {"id": text(b"h" * 32)}})
    [one] = (await owner.client.get("/api/passkeys")).json()
    await owner.client.delete(f"/api/passkeys/{one['id']}")
    await owner.leave()
    removed = await owner.use("sign-in")
    owner.authenticator = stranger
    unknown = await owner.use("sign-in")
    refused(removed)
    refused(unknown)
    assert [one.json()["detail"] for one in (removed, unknown)] == [removed.json()["detail"]] * 2


async def test_the_passkey_of_someone_else_is_no_second_factor(owner, new_browser):
    async with new_browser() as other:
        eve = await new_owner(other)
        await eve.give_password()
        options = await eve.options("second-factor")
        options["allowCredentials"] = []
        stolen = owner.authenticator.get(options)
        refused(await eve.send("second-factor", stolen))
        await eve.use("second-factor")
        refused(
            await eve.send(
                "confirm",
                owner.authenticator.get(await eve.options("confirm") | {"allowCredentials": []}),
            )
        )


async def test_a_counter_that_goes_back_shows_a_copy(owner, mails_to):
    copied = owner.authenticator.copied()
    await owner.leave()
    assert (await owner.use("sign-in")).status_code == 200  # the counter is 1
    await owner.leave()
    mine, owner.authenticator = owner.authenticator, copied
    answer = await owner.use("sign-in")  # a copy that still has to count to 1
    assert answer.status_code == 401
    assert answer.json()["type"] == "/problems/passkey-copied"
    # Nobody knows which of the two is the person's own: neither opens anything from now on.
    for one in (copied, mine):
        owner.authenticator = one
        refused(await owner.use("sign-in"))
    assert "passkey.copy_suspected" in await audited(owner.someone)
    subjects = [one.subject for one in await mails_to(owner.someone.email)]
    assert len([one for one in subjects if "may have been copied" in one]) == 1, subjects
    # The password alone does not become enough by it.
    assert (await owner.give_password()).json()["level"] == "pending"
    assert (await owner.options("second-factor"))["allowCredentials"] == []


async def test_a_counter_that_falls_back_to_nothing_shows_a_copy_too(owner):
    await owner.leave()
    await owner.use("sign-in")
    await owner.leave()
    answer = await owner.use("sign-in", count=0)
    assert answer.json()["type"] == "/problems/passkey-copied"


async def test_a_passkey_on_several_devices_never_counts_and_stays_good(client):
    ada = await make_user()
    owner = Owner(await sign_in(client, ada), ada, SoftAuthenticator(synced=True))
    await owner.add()
    for _ in range(3):
        await owner.leave()
        assert (await owner.use("sign-in")).status_code == 200


async def test_a_suspended_person_is_not_let_in(owner):
    await run(
        "UPDATE memberships SET suspended_at = now() WHERE user_id = :u", u=owner.someone.user_id
    )
    await owner.leave()
    answer = await owner.use("sign-in")
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/account-suspended")


async def test_an_account_that_is_not_activated_is_not_let_in(owner):
    await run("UPDATE users SET activated_at = NULL WHERE id = :u", u=owner.someone.user_id)
    await owner.leave()
    refused(await owner.use("sign-in"))


async def test_an_organisation_that_forbids_passkeys_lets_nobody_in_by_them(owner):
    await set_policy(owner.someone.organization_id, sign_in_methods=["password"])
    await owner.leave()
    answer = await owner.use("sign-in")
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-this-way")


@pytest.mark.asvs("7.2.4")
async def test_the_session_that_the_browser_had_before_ends(owner):
    before = await sessions_of(owner.someone)
    made = owner.authenticator.get(await owner.options("sign-in"))
    await owner.send("sign-in", made)
    assert await sessions_of(owner.someone) == before


async def test_failures_are_in_the_log_of_the_organisation(owner):
    await owner.leave()
    refused(await owner.use("sign-in", **WRONG["origin"]))
    assert (await audited(owner.someone))[-1] == "sign-in.failed"


async def test_trying_again_and_again_is_stopped(owner):
    await owner.leave()
    statuses = {
        (await owner.client.post("/api/passkeys/sign-in", json={})).status_code
        for _ in range(SIGN_IN_RATE.burst + 30)
    }
    assert 429 in statuses


async def arrive_at(owner, purpose):
    if purpose == "sign-in":
        await owner.leave()
    elif purpose == "second-factor":
        await owner.give_password()


async def sessions_of(someone):
    await run_until_empty()
    found = await run(
        "SELECT count(*) FROM sessions WHERE user_id = :u AND revoked_at IS NULL", u=someone.user_id
    )
    return found.scalar_one()


def refused(answer):
    told = answer.json()
    assert (answer.status_code, told["type"]) == (401, "/problems/wrong-passkey"), told
