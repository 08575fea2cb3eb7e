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


async def admin_of(client, **values):
    """The client becomes an administrator of an organisation of its own."""
    ada = await make_user(role="admin", **values)
    return await sign_in(client, ada), ada


def asking(**values):
    return {"second_factor": "optional"} | values


async def test_an_administrator_sets_it_and_a_member_may_not(client, new_browser):
    _, ada = await admin_of(client)
    unset = asking(
        sign_in_methods=None,
        second_factors=None,
        idle_minutes=None,
        absolute_hours=None,
        mail_domains=None,
        impersonation=True,
    )
    assert (await client.get("/api/organization/policy")).json() == unset
    wanted = asking(idle_minutes=10, absolute_hours=2, mail_domains=["example.com"])
    answer = await client.put("/api/organization/policy", json=wanted)
    assert (answer.status_code, answer.json()) == (200, unset | wanted)
    assert (await client.get("/api/organization/policy")).json() == unset | wanted
    async with new_browser() as other:
        await sign_in(other, await make_user(ada.organization_id))
        for method in ("GET", "PUT"):
            answer = await other.request(method, "/api/organization/policy", json=wanted)
            assert answer.status_code == 403
    [event] = [
        one
        for one in (await client.get("/api/audit")).json()["events"]
        if one["action"] == "organization.policy_changed"
    ]
    assert event["detail"] == {"fields": ["idle_minutes", "absolute_hours", "mail_domains"]}


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"second_factor": "optional"}, "second_factor"),
        ({"idle_minutes": 31}, "idle_minutes"),
        ({"absolute_hours": 13}, "absolute_hours"),
        ({"sign_in_methods": ["telepathy"]}, "sign_in_methods"),
        ({"sign_in_methods": []}, "sign_in_methods"),
        ({"second_factors": ["telepathy"]}, "second_factors"),
    ],
)
async def test_what_is_weaker_or_unknown_is_refused(client, configure, wanted, field):
    configure(SESSION_SECOND_FACTOR="admins")
    ada = await make_user(role="admin")
    await sign_in(client, ada, second_factor=True, factor="totp")
    wanted = {"second_factor": "admins"} | wanted
    answer = await client.put("/api/organization/policy", json=wanted)
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [field])
    assert (await client.get("/api/organization/policy")).json()["second_factor"] == "optional"


async def test_nobody_locks_themselves_out(client):
    client, ada = await admin_of(client)
    for wanted in ({"mail_domains": ["example.org"]}, {"mail_domains": ["ample.com"]}):
        answer = await client.put("/api/organization/policy", json=asking(**wanted))
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/locks-you-out")
    await sign_in(client, ada, method="a-way-that-is-gone")
    wanted = {"sign_in_methods": ["password"], "mail_domains": ["example.com"]}
    answer = await client.put("/api/organization/policy", json=asking(**wanted))
    assert (answer.status_code, list(answer.json()["errors"])) == (409, ["sign_in_methods"])
    assert (await client.get("/api/me")).status_code == 200


async def test_a_stricter_domain_signs_out_and_taking_it_back_revives_nothing(client, new_browser):
    client, ada = await admin_of(client)
    guest = await make_user(ada.organization_id, email=f"guest.{ada.user_id.hex}@elsewhere.example")
    async with new_browser() as other:
        await sign_in(other, guest)
        assert (await other.get("/api/me")).status_code == 200
        for wanted in (asking(mail_domains=["example.com"]), asking()):
            assert (await client.put("/api/organization/policy", json=wanted)).status_code == 200
            assert (await other.get("/api/me")).status_code == 401


async def test_a_domain_with_other_letters_is_the_same_in_its_ascii_form(client, new_browser):
    client, ada = await admin_of(client)
    email = f"{ada.user_id.hex}@bücher.example"
    guest = await make_user(ada.organization_id, email=email)
    async with new_browser() as other:
        await sign_in(other, guest)
        for written in ("xn--bcher-kva.example", "BÜCHER.example"):
            wanted = asking(mail_domains=["example.com", written])
            answer = await client.put("/api/organization/policy", json=wanted)
            assert answer.json()["mail_domains"] == ["bücher.example", "example.com"]
            assert (await other.get("/api/me")).status_code == 200
        invitation = {"email": "grace@xn--bcher-kva.example"}
        assert (await client.post("/api/invitations", json=invitation)).status_code == 201
        wanted = asking(mail_domains=["example.com", "xn--e1afmkfd.example"])
        assert (await client.put("/api/organization/policy", json=wanted)).status_code == 200
        assert (await other.get("/api/me")).status_code == 401


async def test_invitations_go_to_allowed_domains_only(client):
    client, _ = await admin_of(client)
    outside, inside = "grace@elsewhere.example", "grace@example.com"
    for address in (outside, inside):
        assert (await client.post("/api/invitations", json={"email": address})).status_code == 201
    await client.put("/api/organization/policy", json=asking(mail_domains=["example.com"]))
    assert [one["email"] for one in (await client.get("/api/invitations")).json()] == [inside]
    answer = await client.post("/api/invitations", json={"email": outside})
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["email"])


async def test_the_organisation_gets_another_name(client, new_browser):
    client, ada = await admin_of(client)
    answer = await client.patch("/api/organization", json={"name": " Analytical Engines "})
    assert answer.json()["name"] == "Analytical Engines"
    async with new_browser() as other:
        await sign_in(other, await make_user(ada.organization_id))
        assert (await other.get("/api/organization")).json()["name"] == "Analytical Engines"
        answer = await other.patch("/api/organization", json={"name": "Ours"})
        assert answer.status_code == 403
