"""The passkeys of an account: adding, listing, renaming, removing."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app.auth import links
from app.core import db
from app.passkeys import service
from tests.factories import make_user, sign_in
from tests.passkeys.conftest import Owner, audited, let_proof_age, new_owner, run
from tests.passkeys.soft_authenticator import EDDSA, RS256, SoftAuthenticator, data


async def test_a_passkey_is_asked_for_with_what_signing_in_without_a_name_needs(client):
    ada = await make_user(display_name="Ada Lovelace")
    options = await Owner(await sign_in(client, ada), ada).options()
    assert options["rp"]["id"] == "testserver"
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }
    assert options["attestation"] == "none"
    assert options["user"]["name"] == ada.email


async def test_the_name_that_authenticators_give_a_person_is_random_and_stays(client):
    ada = await make_user()
    owner = Owner(await sign_in(client, ada), ada)
    handles = {(await owner.options())["user"]["id"] for _ in range(2)}
    assert len(handles) == 1
    [handle] = map(data, handles)
    assert len(handle) == 32
    assert ada.user_id.bytes not in handle
    assert str(ada.user_id).encode() not in handle


@pytest.mark.parametrize("algorithm", [EDDSA, RS256])
async def test_other_kinds_of_keys_work_from_adding_to_signing_in(client, algorithm):
    ada = await make_user()
    owner = Owner(await sign_in(client, ada), ada, SoftAuthenticator(algorithm=algorithm))
    assert (await owner.add()).status_code == 201
    await owner.leave()
    assert (await owner.use("sign-in")).json()["level"] == "full"


async def test_the_first_passkey_is_a_second_factor_and_brings_recovery_codes(client, new_browser):
    ada = await make_user()
    owner = Owner(await sign_in(client, ada), ada)
    async with new_browser() as elsewhere:
        await sign_in(elsewhere, ada)
        added = await owner.add()
        assert len(set(added.json()["codes"])) == 10
        assert (await elsewhere.get("/api/me")).status_code == 401
    assert (await client.get("/api/me")).json()["second_factor"] is True
    security = (await client.get("/api/auth/security")).json()
    assert security["second_factors"] == ["passkey"]
    assert {"passkey.added", "second_factor.enrolled"} <= set(await audited(ada))


async def test_further_passkeys_are_told_by_mail_and_bring_no_codes(owner, mails_to):
    owner.authenticator = SoftAuthenticator(synced=True)
    added = await owner.add("Phone")
    assert added.json()["codes"] == []
    listed = (await owner.client.get("/api/passkeys")).json()
    assert [(one["name"], one["synced"]) for one in listed] == [("Laptop", False), ("Phone", True)]
    subjects = [one.subject for one in await mails_to(owner.someone.email)]
    assert any("Passkey is on" in one for one in subjects), subjects
    assert any("A passkey was added" in one for one in subjects), subjects


async def test_a_device_makes_no_second_passkey_for_the_same_account(owner):
    with pytest.raises(RuntimeError, match="InvalidStateError"):
        await owner.add()


@pytest.mark.parametrize(
    ("wrong", "origin"), [({"verified": False}, None), ({}, "https://evil.example.com")]
)
async def test_what_an_unchecked_owner_or_another_page_made_is_refused(client, wrong, origin):
    ada = await make_user()
    owner = Owner(await sign_in(client, ada), ada, SoftAuthenticator(**wrong))
    answer = await owner.add(**({"origin": origin} if origin else {}))
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/passkey-refused"
    assert (await client.get("/api/passkeys")).json() == []


async def test_an_answer_adds_one_passkey_however_often_it_is_sent(client, race):
    ada = await make_user()
    owner = Owner(await sign_in(client, ada), ada)
    made = owner.authenticator.create(await owner.options())
    form = {"name": "Laptop", "credential": made}
    answers = await race(lambda browser, _: browser.post("/api/passkeys", json=form), client)
    statuses = [one.status_code for one in answers]
    assert statuses.count(201) == 1, statuses
    found = await run("SELECT count(*) FROM passkeys WHERE user_id = :u", u=ada.user_id)
    assert found.scalar_one() == 1


async def test_an_answer_counts_only_in_the_session_that_asked(client, new_browser):
    ada, eve = await make_user(), await make_user()
    owner = Owner(await sign_in(client, ada), ada)
    made = owner.authenticator.create(await owner.options())
    async with new_browser() as other:
        await sign_in(other, eve)
        stolen = await other.post("/api/passkeys", json={"name": "Mine", "credential": made})
    assert stolen.status_code == 422
    assert stolen.json()["type"] == "/problems/challenge-expired"


async def test_nobody_adds_a_passkey_that_belongs_to_someone_else(owner, new_browser):
    async with new_browser() as other:
        eve = await make_user()
        thief = Owner(await sign_in(other, eve), eve, owner.authenticator)
        options = await thief.options()
        made = thief.authenticator.create(options)
        [known] = (await run("SELECT credential_id FROM passkeys")).scalars().all()[-1:]
        made = rename_credential(made, known)
        answer = await other.post("/api/passkeys", json={"name": "Mine", "credential": made})
    assert answer.status_code == 409
    assert (await owner.client.get("/api/passkeys")).json()[0]["name"] == "Laptop"


def rename_credential(made, name):
    """The same answer with the id of another passkey, as an authenticator of one's own could."""
    import cbor2

    from tests.passkeys.soft_authenticator import text as written

    told = cbor2.loads(data(made["response"]["attestationObject"]))
    start = 37 + 16 + 2
    told["authData"] = told["authData"][:start] + name + told["authData"][start + len(name) :]
    response = made["response"] | {"attestationObject": written(cbor2.dumps(told))}
    return made | {"id": written(name), "rawId": written(name), "response": response}


async def test_twenty_passkeys_are_enough(owner):
    for number in range(service.AT_MOST - 1):
        owner.authenticator = SoftAuthenticator(algorithm=EDDSA)
        assert (await owner.add(f"Key {number}")).status_code == 201
    refused = await owner.client.post("/api/passkeys/options")
    assert refused.status_code == 409
    assert refused.json()["type"] == "/problems/too-many-passkeys"


async def test_a_passkey_gets_another_name(owner):
    [one] = (await owner.client.get("/api/passkeys")).json()
    answer = await owner.client.patch(f"/api/passkeys/{one['id']}", json={"name": " Work "})
    assert answer.json()["name"] == "Work"
    for name in ("", "x" * 61, "two\nlines"):
        answer = await owner.client.patch(f"/api/passkeys/{one['id']}", json={"name": name})
        assert answer.status_code == 422


async def test_nobody_touches_the_passkeys_of_others(owner, new_browser):
    [one] = (await owner.client.get("/api/passkeys")).json()
    async with new_browser() as other:
        await sign_in(other, await make_user(owner.someone.organization_id, role="admin"))
        path = f"/api/passkeys/{one['id']}"
        assert (await other.patch(path, json={"name": "Mine"})).status_code == 404
        assert (await other.delete(path)).status_code == 404
        assert (await other.get("/api/passkeys")).json() == []
    assert (await owner.client.get("/api/passkeys")).json() == [one]


@pytest.mark.asvs("7.5.1")
async def test_adding_and_removing_need_a_fresh_proof(owner):
    [one] = (await owner.client.get("/api/passkeys")).json()
    await let_proof_age(owner.someone)
    for call in (
        owner.client.post("/api/passkeys/options"),
        owner.client.post("/api/passkeys", json={}),
        owner.client.delete(f"/api/passkeys/{one['id']}"),
    ):
        assert (await call).json()["type"] == "/problems/prove-it-again"


async def test_removing_the_last_one_turns_the_second_factor_off(owner, new_browser, mails_to):
    [one] = (await owner.client.get("/api/passkeys")).json()
    async with new_browser() as elsewhere:
        await sign_in(elsewhere, owner.someone, second_factor=True)
        owner.keep(await owner.client.delete(f"/api/passkeys/{one['id']}"))
        assert (await elsewhere.get("/api/me")).status_code == 401
    assert (await owner.client.get("/api/me")).json()["second_factor"] is False
    security = (await owner.client.get("/api/auth/security")).json()
    assert (security["second_factors"], security["recovery_codes_left"]) == ([], 0)
    assert (await owner.give_password()).json()["level"] == "full"
    subjects = [one.subject for one in await mails_to(owner.someone.email)]
    assert any("Passkey is off" in one for one in subjects), subjects
    assert {"passkey.removed", "second_factor.removed"} <= set(await audited(owner.someone))


async def test_removing_one_of_two_keeps_the_factor_and_ends_other_sessions(
    owner, new_browser, mails_to
):
    owner.authenticator = SoftAuthenticator()
    await owner.add("Phone")
    first, second = (await owner.client.get("/api/passkeys")).json()
    async with new_browser() as elsewhere:
        await sign_in(elsewhere, owner.someone, second_factor=True)
        owner.keep(await owner.client.delete(f"/api/passkeys/{first['id']}"))
        assert (await elsewhere.get("/api/me")).status_code == 401
    assert (await owner.client.get("/api/passkeys")).json() == [second]
    assert (await owner.client.get("/api/me")).json()["second_factor"] is True
    assert (await owner.give_password()).json()["level"] == "pending"
    subjects = [one.subject for one in await mails_to(owner.someone.email)]
    assert any("A passkey was removed" in one for one in subjects), subjects


async def test_two_first_passkeys_at_once_make_one_set_of_recovery_codes(client, new_browser):
    ada = await make_user()
    async with new_browser() as other:
        owners = [
            Owner(await sign_in(one, ada), ada, SoftAuthenticator()) for one in (client, other)
        ]
        answers = await asyncio.gather(*(one.add() for one in owners))
    # Adding the first ends every other session, so the second may come too late.
    codes = [one.json()["codes"] for one in answers if one.status_code == 201]
    assert len([one for one in codes if one]) == 1


async def test_the_app_role_reads_no_passkeys():
    for table in ("passkeys", "passkey_handles", "passkey_challenges"):
        async with db.new_session()() as session:
            with pytest.raises(ProgrammingError, match="permission denied"):
                await session.execute(text(f"SELECT * FROM {table}"))


async def test_with_the_person_go_the_passkeys(client):
    owner = await new_owner(client)
    await run("DELETE FROM users WHERE id = :u", u=owner.someone.user_id)
    for table in ("passkeys", "passkey_handles"):
        left = await run(
            f"SELECT count(*) FROM {table} WHERE user_id = :u", u=owner.someone.user_id
        )
        assert left.scalar_one() == 0


@pytest.mark.asvs("7.4.3")
async def test_after_a_reset_a_passkey_that_a_thief_added_is_told_of(client, mails_to):
    ada = await make_user()
    owner = Owner(await sign_in(client, ada), ada)
    assert (await owner.add("Thief's phone")).status_code == 201
    owner.authenticator = SoftAuthenticator()
    assert (await owner.add("Copied")).status_code == 201
    copied = "UPDATE passkeys SET copied_at = now() WHERE name = 'Copied' AND user_id = :ada"
    await run(copied, ada=ada.user_id)
    async with db.transaction(elevated=True) as session:
        token = await links.make(session, ada.user_id, "reset")
    form = {"token": token, "password": "another long sentence 17"}
    answer = await client.post("/api/auth/password-reset/finish", json=form)
    found = [one for one in answer.json()["opens"] if one["kind"] == "Passkey"]
    assert [one["name"] for one in found] == ["Thief's phone"]
    [letter] = [one for one in await mails_to(ada.email) if "was changed" in one.subject]
    assert f"- Passkey: Thief's phone, since {found[0]['added_at'][:10]} " in letter.body
