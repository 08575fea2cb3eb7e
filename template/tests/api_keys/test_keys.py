"""Keys: what they open, and everything that ends or refuses them."""

import re

import pytest
from sqlalchemy import text

from app.access.roles import closed_to_keys, known
from app.api_keys import bearer
from app.core import credentials, db
from app.guardrails.output import secrets as secrets_guard
from app.jobs.queue import run_until_empty
from app.mail import service as mail
from tests.access.test_every_route import calls, problem
from tests.asking import through_the_assistant
from tests.factories import make_organization, make_role, make_user, set_policy, sign_in

INVALID = "/problems/invalid-credential"


async def set_key(program, what):
    async with db.transaction(elevated=True) as session:
        await session.execute(text(f"UPDATE api_keys SET {what} WHERE id = :k"), {"k": program.id})


@pytest.mark.asvs("8.2.1")
async def test_a_key_opens_its_scopes_and_nothing_more(ada, make_key):
    program = await make_key("usage.read_own", "audit.read")
    assert await program.status("/api/usage") == 200
    assert await program.status("/api/audit") == 200
    refused = await program.get("/api/users")
    assert (refused.status_code, refused.json()["detail"]) == (403, "This key does not allow this.")


@through_the_assistant
async def test_changes_need_no_page_to_vouch_for_them(ada, make_key):
    program = await make_key("assistant.use")
    made = await program.client.post("/api/conversations", headers=program.headers, json={})
    assert made.status_code == 201, made.text


async def test_with_key_and_cookie_the_key_alone_counts(client, ada, make_key):
    program = await make_key("usage.read_own")
    assert (await client.get("/api/users")).status_code == 200
    assert (await client.get("/api/users", headers=program.headers)).status_code == 403


async def test_no_key_reaches_accounts_keys_roles_or_what_needs_a_fresh_proof(app, ada, make_key):
    """Even with all scopes written straight into its row."""
    program = await make_key("usage.read_own")
    everything = ", ".join(f"'{name}'" for name in sorted(known()))
    await set_key(program, f"scopes = ARRAY[{everything}]")
    closed = 0
    for call in calls(app):
        if any(one.recent or one.permission in closed_to_keys() for one in call.asks):
            answer = await program.client.request(
                call.method, call.address, headers=program.headers
            )
            assert await problem(answer) == (403, "/problems/not-permitted"), str(call)
            closed += 1
    assert closed > 25
    assert {"account.manage", "users.manage", "roles.manage", "api_keys.use"} <= closed_to_keys()


async def test_a_key_cannot_be_given_what_its_maker_lacks_or_no_key_has(client):
    await sign_in(client, await make_user())
    for scope in ("audit.read", "account.manage", "no.such"):
        answer = await client.post("/api/keys", json={"name": "x", "scopes": [scope]})
        assert answer.json()["type"] == "/problems/scope-beyond-your-own", scope
    assert (await client.post("/api/keys", json={"name": "x", "scopes": []})).status_code == 422


async def test_taking_a_role_away_takes_it_from_the_keys(client, ada, make_key):
    role = await make_role(ada.organization_id, ["audit.read", "api_keys.use"])
    await sign_in(client, await make_user(ada.organization_id, role=role))
    program = await make_key("audit.read")
    assert await program.status("/api/audit") == 200
    await sign_in(client, ada)
    await client.put(f"/api/roles/{role}", json={"name": "Less", "permissions": ["users.read"]})
    assert await program.status("/api/audit") == 403
    assert await program.status("/api/users") == 403, "a new permission of the owner is not its"


@pytest.mark.parametrize(
    "ended",
    [
        "UPDATE memberships SET suspended_at = now() WHERE user_id = :u",
        "DELETE FROM memberships WHERE user_id = :u",
        "UPDATE users SET activated_at = NULL WHERE id = :u",
        "UPDATE api_keys SET expires_at = now() WHERE user_id = :u",
        "UPDATE api_keys SET revoked_at = now() WHERE user_id = :u",
    ],
)
async def test_a_key_ends_with_what_it_stands_on(ada, make_key, ended):
    program = await make_key()
    assert await program.status() == 200
    async with db.transaction(elevated=True) as session:
        await session.execute(text(ended), {"u": ada.user_id})
    answer = await program.get("/api/usage")
    assert (answer.status_code, answer.json()["type"]) == (401, INVALID)


async def test_the_policy_on_second_factors_binds_keys_too(ada, make_key, configure):
    program = await make_key()
    configure(SESSION_SECOND_FACTOR="everyone")
    answer = await program.get("/api/usage")
    assert answer.json()["type"] == "/problems/second-factor-required"


async def test_a_second_factor_that_the_organisation_counts_no_more_counts_for_no_key(
    client, make_key
):
    ada = await make_user(role="admin")
    await sign_in(client, ada, second_factor=True, factor="totp")
    program = await make_key()
    await set_policy(ada.organization_id, second_factor="everyone")
    assert await program.status() == 200
    await set_policy(ada.organization_id, second_factors=["passkey"])
    assert await program.status() == 403


async def test_an_administrator_revokes_anyones_key_and_others_only_their_own(
    client, ada, make_key
):
    bob = await make_user(ada.organization_id)
    await sign_in(client, bob)
    program = await make_key()
    await sign_in(client, await make_user(ada.organization_id))
    assert (await client.delete(f"/api/keys/{program.id}")).status_code == 404
    assert (await client.delete(f"/api/organization/keys/{program.id}")).status_code == 403
    await sign_in(client, ada)
    assert (await client.delete(f"/api/keys/{program.id}")).status_code == 404
    [shown] = (await client.get("/api/organization/keys")).json()["keys"]
    assert (shown["id"], shown["email"], shown["state"]) == (program.id, bob.email, "active")
    assert (await client.delete(f"/api/organization/keys/{program.id}")).status_code == 204
    assert await program.status() == 401
    assert (await client.delete(f"/api/organization/keys/{program.id}")).status_code == 404


async def test_keys_of_another_organisation_do_not_exist(client, ada, make_key, new_browser):
    program = await make_key("users.read")
    stranger = await make_user(await make_organization(), role="admin")
    async with new_browser() as browser:
        await sign_in(browser, stranger)
        assert (await browser.get("/api/organization/keys")).json() == {"keys": [], "next": None}
        for path in ("keys", "organization/keys"):
            assert (await browser.delete(f"/api/{path}/{program.id}")).status_code == 404
        assert (await browser.post(f"/api/keys/{program.id}/renew", json={})).status_code == 404
    shown = (await program.get("/api/users")).json()["users"]
    assert [one["id"] for one in shown] == [str(ada.user_id)]


async def test_nobody_makes_a_key_for_somebody_else_not_even_in_the_database(ada):
    other = await make_user(ada.organization_id)
    with pytest.raises(Exception, match="row-level security"):
        async with db.transaction(
            organization_id=ada.organization_id, user_id=ada.user_id
        ) as session:
            await session.execute(
                text(
                    "INSERT INTO api_keys (id, organization_id, user_id, name, digest, ending,"
                    " scopes, second_factor, expires_at) VALUES (gen_random_uuid(), :o, :u, 'x',"
                    " '', '', '{}', false, now())"
                ),
                {"o": ada.organization_id, "u": other.user_id},
            )


async def test_renewing_stops_the_old_secret_at_once_or_after_the_grace(client, ada, make_key):
    old = await make_key()
    renewed = await client.post(f"/api/keys/{old.id}/renew", json={})
    new = {"Authorization": f"Bearer {renewed.json()['secret']}"}
    assert await old.status() == 401
    assert (await old.client.get("/api/usage", headers=new)).status_code == 200

    again = await client.post(f"/api/keys/{old.id}/renew", json={"grace_hours": 24})
    newest = {"Authorization": f"Bearer {again.json()['secret']}"}
    for headers in (new, newest):
        assert (await old.client.get("/api/usage", headers=headers)).status_code == 200
    await set_key(old, "previous_until = now()")
    assert (await old.client.get("/api/usage", headers=new)).status_code == 401
    assert (await old.client.get("/api/usage", headers=newest)).status_code == 200
    too_long = await client.post(f"/api/keys/{old.id}/renew", json={"grace_hours": 169})
    assert too_long.json()["type"] == "/problems/longer-than-allowed"


async def test_lifetime_ninety_days_unless_chosen_and_never_above_the_setting(
    client, ada, make_key, configure
):
    await make_key()
    [shown] = (await client.get("/api/keys")).json()
    async with db.transaction(elevated=True) as session:
        days = await session.scalar(
            text("SELECT extract(day FROM expires_at - created_at) FROM api_keys WHERE id = :k"),
            {"k": shown["id"]},
        )
    assert 89 <= days <= 90
    assert "secret" not in shown
    configure(API_KEYS_LONGEST_DAYS=30)
    answer = await client.post(
        "/api/keys", json={"name": "x", "scopes": ["usage.read_own"], "expires_in_days": 31}
    )
    assert answer.json()["type"] == "/problems/longer-than-allowed"


async def test_only_so_many_keys_for_one_person(client, ada, make_key, configure):
    configure(API_KEYS_PER_PERSON=2)
    first = await make_key()
    await make_key()
    answer = await client.post("/api/keys", json={"name": "x", "scopes": ["usage.read_own"]})
    assert answer.json()["type"] == "/problems/too-many-keys"
    await client.delete(f"/api/keys/{first.id}")
    await make_key()


async def test_a_wrong_checksum_never_reaches_the_database(ada, make_key, monkeypatch):
    program = await make_key()
    asked = []
    real = bearer.fetch

    async def counted(*words):
        asked.append(words)
        return await real(*words)

    monkeypatch.setattr(bearer, "fetch", counted)
    assert await program.status() == 200
    assert len(asked) == 1
    right = program.secret
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
    for secret in (wrong, right[:-1], right + "0", right.swapcase(), right[:20] + "é" + right[21:]):
        answer = await program.client.get(
            "/api/usage", headers=[(b"authorization", f"Bearer {secret}".encode())]
        )
        assert answer.status_code == 401, secret
    assert len(asked) == 1
    # A well-formed key that is nobody's does.
    unknown = {"Authorization": f"Bearer {credentials.new_key()}"}
    assert (await program.client.get("/api/usage", headers=unknown)).status_code == 401
    assert len(asked) == 2


@pytest.mark.asvs("14.2.1")
async def test_keys_in_addresses_and_cookies_are_refused(ada, make_key, outside):
    program = await make_key()
    for path in (f"/api/usage?api_key={program.secret}", f"/api/usage?x={program.secret}"):
        answer = await outside.get(path)
        assert (answer.status_code, answer.json()["type"]) == (
            400,
            "/problems/credential-in-address",
        )
        assert program.secret not in answer.text
        assert (await program.get(path)).status_code == 400, "beside a good header as well"
    answer = await outside.get("/api/usage", headers={"Cookie": f"__Host-session={program.secret}"})
    assert answer.status_code == 401


async def test_the_secret_is_kept_nowhere(ada, make_key):
    program = await make_key()
    async with db.transaction(elevated=True) as session:
        row = await session.execute(text("SELECT * FROM api_keys WHERE id = :k"), {"k": program.id})
        kept = repr(row.one())
    assert program.secret not in kept
    assert program.secret[-43:-4] not in kept


async def test_use_is_noted_once_a_minute(client, ada, make_key):
    program = await make_key()
    [shown] = (await client.get("/api/keys")).json()
    assert shown["last_used_at"] is None

    async def used():
        await program.status()
        return (await client.get("/api/keys")).json()[0]["last_used_at"]

    first = await used()
    assert first is not None
    assert await used() == first
    await set_key(program, "last_used_at = last_used_at - interval '61 s'")
    assert await used() > first


async def test_a_key_has_a_rate_of_its_own(ada, make_key, configure):
    configure(API_KEYS_PER_MINUTE=5)
    program, other = await make_key(), await make_key()
    answers = [await program.status() for _ in range(8)]
    assert answers[0] == 200
    assert 429 in answers
    assert await other.status() == 200


async def test_owner_and_audit_log_hear_of_it(client, ada, make_key):
    program = await make_key()
    await client.post(f"/api/keys/{program.id}/renew", json={"grace_hours": 1})
    await client.delete(f"/api/keys/{program.id}")
    await run_until_empty()
    async with db.transaction(elevated=True) as session:
        letters = await mail.inbox(session, to=ada.email)
    subjects = {letter.subject for letter in letters}
    assert any("new API key" in one for one in subjects)
    assert any("renewed" in one for one in subjects)
    assert all(program.secret not in letter.body for letter in letters)
    events = (await client.get("/api/audit?action=api_key")).json()["events"]
    assert [one["action"].partition(".")[2] for one in events] == ["revoked", "renewed", "created"]


async def test_what_a_key_did_names_the_key_in_the_audit_log(client, ada, make_key):
    program = await make_key("audit.read")
    await program.get("/api/audit/export")
    events = (await client.get("/api/audit?action=audit")).json()["events"]
    assert events[0]["session_id"] == program.id


async def test_keys_are_masked_in_answers_of_a_model(ada, make_key):
    program = await make_key()
    screen = secrets_guard.open_screen(None)
    text_with_key = f"Use {program.secret} now."
    _, findings = screen.feed(text_with_key, last=True)
    [found] = findings
    assert text_with_key[found.start : found.end] == program.secret
    assert found.replacement == "[key of this app removed]"


def test_scanners_find_keys_by_the_documented_expression():
    expression = re.compile(credentials.pattern())
    for _ in range(50):
        key = credentials.new_key()
        assert expression.fullmatch(key)
        assert credentials.is_key(key)


async def test_the_keys_of_everyone_come_in_pages(client, ada, make_key):
    made = [(await make_key()).id for _ in range(5)]
    seen, before, path = [], None, "/api/organization/keys?limit=2"
    while True:
        page = (await client.get(path + (f"&before={before}" if before else ""))).json()
        seen += [one["id"] for one in page["keys"]]
        before = page["next"]
        assert len(page["keys"]) <= 2
        if before is None:
            break
    assert seen == made[::-1]
    assert (await client.get("/api/organization/keys?limit=201")).status_code == 422
