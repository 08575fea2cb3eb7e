"""What a thief may have added outlives a new password: its owner is told of it."""

import pytest
from sqlalchemy import text

from app.core import db
from tests.auth.test_second_factor import enrol
from tests.conftest import new_client
from tests.factories import PASSWORD, make_membership, make_organization, make_user, sign_in

NEW = "another long sentence 17"


@pytest.fixture
def reset(new_browser, mails_to, link_in):
    """`answer = await reset(someone)` sets a new password by the mailed link."""

    async def by_mail(someone, **more):
        async with new_browser() as owner:
            asked = {"email": someone.email}
            assert (await owner.post("/api/auth/password-reset", json=asked)).status_code == 202
            sent = next(
                one for one in await mails_to(someone.email) if one.subject.startswith("Choose")
            )
            form = {"token": link_in(sent), "password": NEW} | more
            answer = await owner.post("/api/auth/password-reset/finish", json=form)
            assert answer.status_code == 200, answer.text
            return answer.json()["opens"]

    return by_mail


@pytest.fixture
async def key_status(app):
    """What a program is answered that has a key."""
    async with new_client(app) as program:
        del program.headers["Sec-Fetch-Site"]

        async def status(secret):
            with_it = {"Authorization": f"Bearer {secret}"}
            return (await program.get("/api/usage", headers=with_it)).status_code

        yield status


async def make_key(client, name="Nightly export"):
    wanted = {"name": name, "scopes": ["usage.read_own"]}
    made = await client.post("/api/keys", json=wanted)
    assert made.status_code == 201, made.text
    return made.json()


async def told(mails_to, someone):
    """The mail about the new password."""
    return next(one.body for one in await mails_to(someone.email) if "was changed" in one.subject)


def named(opens):
    return [(one["kind"], one["name"]) for one in opens]


@pytest.mark.asvs("6.4.3", "7.4.3")
async def test_what_a_thief_has_added_is_told_after_the_reset_and_by_mail(
    client, reset, mails_to, key_status
):
    ada = await make_user()
    await sign_in(client, ada)
    app, codes = await enrol(client)
    key = await make_key(client)
    opens = await reset(ada)

    newest = ("API key", f"Nightly export (…{key['secret'][-4:]})")
    assert named(opens)[0] == newest
    assert set(named(opens)) == {newest, ("Recovery codes", "10 left"), ("Authenticator app", "")}
    assert [one["added_at"] for one in opens] == sorted(
        (one["added_at"] for one in opens), reverse=True
    )
    assert opens[0]["added_at"][:19] == key["created_at"][:19]
    body = await told(mails_to, ada)
    day = key["created_at"][:10]
    assert f"- API key: Nightly export (…{key['secret'][-4:]}), since {day} " in body
    assert f"- Authenticator app, since {day} " in body
    assert "https://testserver/account/security" in body
    for secret in (app.secret, key["secret"], *codes):
        assert secret not in body
    # Programs go on where nobody said that there was a thief.
    assert await key_status(key["secret"]) == 200
    await sign_in(client, ada)
    assert (await client.get("/api/auth/security")).json()["opens"] == opens


async def test_who_says_that_somebody_knew_the_password_ends_the_keys_of_all_organisations(
    client, new_browser, reset, mails_to, key_status
):
    ada = await make_user()
    other = await make_organization()
    await make_membership(ada, other)
    colleague = await make_user(ada.organization_id)
    keys = []
    for organization_id in (ada.organization_id, other.id):
        async with new_browser() as browser:
            ada.organization_id, home = organization_id, ada.organization_id
            await sign_in(browser, ada)
            keys.append(await make_key(browser))
            ada.organization_id = home
    await sign_in(client, colleague)
    theirs = await make_key(client)

    assert await reset(ada, end_api_keys=True) == []
    assert [await key_status(one["secret"]) for one in keys] == [401, 401]
    assert await key_status(theirs["secret"]) == 200
    assert "API key" not in await told(mails_to, ada)
    for place, key in zip((ada.organization_id, other.id), keys, strict=True):
        async with db.transaction(organization_id=place) as session:
            [row] = await session.execute(
                text(
                    "SELECT user_id, target, detail->>'by' FROM audit_events"
                    " WHERE action = 'api_key.revoked'"
                )
            )
            assert tuple(map(str, row)) == (str(ada.user_id), key["id"], "reset")


async def test_who_is_signed_in_to_one_organisation_sees_no_name_of_a_key_of_another(client, reset):
    ada = await make_user()
    other = await make_organization()
    await make_membership(ada, other)
    home, ada.organization_id = ada.organization_id, other.id
    await sign_in(client, ada)
    key = await make_key(client, "Elsewhere")
    client.cookies.clear()
    ada.organization_id = home
    await sign_in(client, ada)

    seen = (await client.get("/api/auth/security")).json()["opens"]
    assert named(seen) == [("API key", "In another organisation")]
    # Whoever reads the mailbox is the person, in all organisations.
    assert named(await reset(ada)) == [("API key", f"Elsewhere (…{key['secret'][-4:]})")]


async def test_a_key_that_was_renewed_is_as_old_as_its_secret(client, reset):
    ada = await make_user()
    await sign_in(client, ada)
    key = await make_key(client)
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE api_keys SET created_at = now() - interval '60 days' WHERE id = :id"),
            {"id": key["id"]},
        )
    assert (await client.post(f"/api/keys/{key['id']}/renew", json={})).status_code == 200
    [opens] = await reset(ada)
    assert opens["added_at"] > key["created_at"]


async def test_what_opens_nothing_any_more_is_not_told(client, reset, mails_to):
    ada = await make_user()
    await sign_in(client, ada)
    revoked, expired = await make_key(client), await make_key(client)
    await client.delete(f"/api/keys/{revoked['id']}")
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE api_keys SET expires_at = now() WHERE id = :id"), {"id": expired["id"]}
        )
    await client.post("/api/auth/totp")  # begun and never confirmed
    assert await reset(ada) == []
    assert "opens your account" not in await told(mails_to, ada)


async def test_the_mail_about_a_changed_password_tells_it_too_and_makes_no_link_of_a_name(
    client, mails_to
):
    ada = await make_user()
    await sign_in(client, ada)
    await make_key(client, "evil.example/sign-in")
    change = {"old": PASSWORD, "new": NEW}
    assert (await client.put("/api/auth/password", json=change)).status_code == 200
    body = await told(mails_to, ada)
    assert "- API key: evil.\u2060example/\u2060sign-in (…" in body
