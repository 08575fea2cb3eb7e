"""What an organisation asks of its members holds for every session, those begun before too."""

import pytest
from sqlalchemy import text

from app.core import db
from tests.factories import make_organization, make_user, set_policy, sign_in


async def age(someone, **interval):
    """Let a person's sessions be older, as if time had passed."""
    assignments = ", ".join(f"{name} = {name} - interval '{by}'" for name, by in interval.items())
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(f"UPDATE sessions SET {assignments} WHERE user_id = :u"), {"u": someone.user_id}
        )


async def problem(client, path="/api/users"):
    answer = await client.get(path)
    if answer.status_code == 200:
        return 200
    return answer.json()["type"].removeprefix("/problems/")


async def test_a_session_by_a_way_that_is_closed_ends(client):
    ada = await make_user(role="admin")
    await sign_in(client, ada, method="password")
    assert await problem(client) == 200
    await set_policy(ada.organization_id, sign_in_methods=["sso"])
    assert await problem(client) == "sign-in-first"
    await sign_in(client, ada, method="sso")
    assert await problem(client) == 200


async def test_a_shorter_idle_time_ends_sessions_at_rest(client):
    ada = await make_user(role="admin")
    await sign_in(client, ada)
    await age(ada, last_seen_at="6 minutes")
    await set_policy(ada.organization_id, idle_minutes=7)
    assert await problem(client) == 200
    await age(ada, last_seen_at="6 minutes")
    await set_policy(ada.organization_id, idle_minutes=5)
    assert await problem(client) == "sign-in-first"


async def test_a_longer_idle_time_than_the_setting_changes_nothing(client):
    ada = await make_user(role="admin")
    await sign_in(client, ada)
    await set_policy(ada.organization_id, idle_minutes=600, absolute_hours=600)
    await age(ada, last_seen_at="31 minutes")
    assert await problem(client) == "sign-in-first"


async def test_a_shorter_whole_length_ends_sessions_in_use(client):
    ada = await make_user(role="admin")
    await sign_in(client, ada)
    await age(ada, authenticated_at="61 minutes")
    assert await problem(client) == 200
    await set_policy(ada.organization_id, absolute_hours=1)
    assert await problem(client) == "sign-in-first"


async def test_members_with_other_mail_addresses_are_kept_out(client):
    ada = await make_user(role="admin", email="ada.of.example@Example.com")
    await sign_in(client, ada)
    await set_policy(ada.organization_id, mail_domains=["example.com"])
    assert await problem(client) == 200
    for others in (["example.org"], ["ample.com"], ["com"], []):
        await set_policy(ada.organization_id, mail_domains=others)
        assert await problem(client) == "sign-in-first", others


@pytest.mark.parametrize(
    ("setting", "policy", "role", "asked"),
    [
        ("optional", "optional", "admin", False),
        ("optional", "admins", "member", False),
        ("optional", "admins", "admin", True),
        ("optional", "everyone", "member", True),
        ("admins", "optional", "admin", True),
        ("admins", "everyone", "member", True),
        ("everyone", "optional", "member", True),
        ("everyone", "admins", "member", True),
    ],
)
async def test_the_stricter_of_setting_and_organisation_asks_for_a_second_factor(
    client, configure, setting, policy, role, asked
):
    configure(SESSION_SECOND_FACTOR=setting)
    ada = await make_user(role=role)
    await set_policy(ada.organization_id, second_factor=policy)
    await sign_in(client, ada)
    expected = "second-factor-required" if asked else 200
    assert await problem(client, "/api/usage") == expected
    await sign_in(client, ada, second_factor=True, factor="totp")
    assert await problem(client, "/api/usage") == 200


async def test_a_second_factor_that_is_not_allowed_counts_as_none(client):
    ada = await make_user()
    await set_policy(ada.organization_id, second_factor="everyone", second_factors=["totp"])
    for factor, counts in {"sms": False, "totp": True, "recovery_code": True}.items():
        await sign_in(client, ada, second_factor=True, factor=factor)
        expected = 200 if counts else "second-factor-required"
        assert await problem(client, "/api/usage") == expected, factor
        assert (await client.get("/api/me")).json()["second_factor"] is counts


async def test_the_policy_of_one_organisation_binds_no_other(client):
    ada, other = await make_user(role="admin"), await make_organization()
    await sign_in(client, ada)
    await set_policy(
        other.id, sign_in_methods=[], mail_domains=[], second_factor="everyone", absolute_hours=0
    )
    assert await problem(client) == 200


async def test_the_right_password_opens_nothing_where_passwords_are_closed(client):
    ada = await make_user()
    await set_policy(ada.organization_id, sign_in_methods=["sso"])
    wrong = {"email": ada.email, "password": "not the password at all"}
    answer = await client.post("/api/auth/sign-in", json=wrong)
    assert answer.json()["type"] == "/problems/wrong-credentials"
    right = wrong | {"password": ada.password}
    answer = await client.post("/api/auth/sign-in", json=right)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-this-way")
    assert "__Host-session" not in client.cookies


async def test_whoever_belongs_to_two_enters_the_one_that_lets_in(client):
    ada, other = await make_user(), await make_organization()
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "INSERT INTO memberships (id, organization_id, user_id, role)"
                " VALUES (gen_random_uuid(), :o, :u, 'member')"
            ),
            {"o": other.id, "u": ada.user_id},
        )

    async def entered():
        client.cookies.clear()
        form = {"email": ada.email, "password": ada.password}
        answer = await client.post("/api/auth/sign-in", json=form)
        assert answer.status_code == 200, answer.text
        return (await client.get("/api/me")).json()["organization_id"]

    assert await entered() == str(ada.organization_id), "the older membership"
    await set_policy(ada.organization_id, sign_in_methods=["sso"])
    assert await entered() == str(other.id)
    await set_policy(ada.organization_id, sign_in_methods=None)
    assert await entered() == str(other.id), "the one that was used last"
