"""What administrators do about the sign-ins of others."""

import pytest
from sqlalchemy import text

from app.auth import people
from app.core import db
from app.core.errors import NotFound
from tests.auth.test_second_factor import enrol, password_step
from tests.factories import make_membership, make_organization, make_user, sign_in


@pytest.fixture
async def office(new_browser):
    """An administrator and a member with two factors, each at a browser of their own."""
    organization = await make_organization()
    admin, ada = await make_user(organization, role="admin"), await make_user(organization)
    async with new_browser() as hers, new_browser() as his:
        await sign_in(his, admin)
        await sign_in(hers, ada)
        yield admin, his, ada, hers


async def actions(organization_id):
    async with db.transaction(organization_id=organization_id) as session:
        rows = await session.execute(text("SELECT action, target, user_id FROM audit_events"))
        return {(row.action, row.target, row.user_id) for row in rows}


@pytest.mark.asvs("6.4.4")
async def test_a_lost_second_factor_is_reset_by_an_administrator(office, mails_to):
    admin, his, ada, hers = office
    await enrol(hers)
    gone = await his.delete(f"/api/auth/users/{ada.user_id}/second-factors")
    assert gone.json() == {"kinds": ["totp"]}
    assert (await hers.get("/api/me")).status_code == 401, "her sessions have ended"
    assert (await password_step(hers, ada)).json()["level"] == "full"
    assert (await hers.post("/api/auth/totp")).status_code == 201, "and she sets it up anew"
    assert any("was reset" in one.subject for one in await mails_to(ada.email))
    told = ("second_factor.reset", str(ada.user_id), admin.user_id)
    assert told in await actions(ada.organization_id)


async def test_recovery_codes_go_with_the_factors(office):
    _, his, ada, hers = office
    await enrol(hers)
    await his.delete(f"/api/auth/users/{ada.user_id}/second-factors")
    async with db.transaction(elevated=True) as session:
        left = await session.scalar(
            text("SELECT count(*) FROM recovery_codes WHERE user_id = :u"), {"u": ada.user_id}
        )
    assert left == 0


@pytest.mark.asvs("6.4.4")
async def test_resetting_needs_the_right_and_a_fresh_proof(office):
    admin, his, ada, hers = office
    await enrol(hers)
    path = f"/api/auth/users/{ada.user_id}/second-factors"
    assert (await hers.delete(path)).status_code == 403
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE sessions SET authenticated_at = now() - interval '1 h' WHERE user_id=:u"),
            {"u": admin.user_id},
        )
    refused = await his.delete(path)
    assert refused.json()["type"] == "/problems/prove-it-again"


async def test_nobody_weakens_the_account_of_another_organisation(office, new_browser):
    _, his, ada, hers = office
    await enrol(hers)
    stranger = await make_user(role="admin")
    path = f"/api/auth/users/{ada.user_id}"
    async with new_browser() as elsewhere:
        await sign_in(elsewhere, stranger)
        assert (await elsewhere.delete(f"{path}/second-factors")).status_code == 404
        assert (await elsewhere.delete(f"{path}/sessions")).status_code == 404
        assert (await elsewhere.get(f"{path}/sign-ins")).status_code == 404
    # Nor one's own administrator, once the person belongs to another organisation as well.
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "INSERT INTO memberships (id, organization_id, user_id, role)"
                " VALUES (gen_random_uuid(), :o, :u, 'member')"
            ),
            {"o": stranger.organization_id, "u": ada.user_id},
        )
    refused = await his.delete(f"{path}/second-factors")
    assert refused.json()["type"] == "/problems/belongs-elsewhere"
    assert (await password_step(hers, ada)).json()["level"] == "pending"


async def test_one_s_own_factors_are_not_reset_this_way(office):
    admin, his, _, _ = office
    await enrol(his)
    refused = await his.delete(f"/api/auth/users/{admin.user_id}/second-factors")
    assert refused.status_code == 409


@pytest.mark.asvs("7.4.5")
async def test_an_administrator_sees_and_ends_the_sessions_of_a_member(office):
    admin, his, ada, hers = office
    found = (await his.get(f"/api/auth/users/{ada.user_id}/sign-ins")).json()
    assert len(found["sessions"]) == 1
    assert (await hers.get(f"/api/auth/users/{admin.user_id}/sign-ins")).status_code == 403
    ended = await his.delete(f"/api/auth/users/{ada.user_id}/sessions")
    assert ended.json() == {"ended": 1}
    assert (await hers.get("/api/me")).status_code == 401
    assert (await his.get("/api/me")).status_code == 200


async def test_sessions_in_another_organisation_are_neither_shown_nor_ended(office, new_browser):
    _, his, ada, _ = office
    other = await make_organization()
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "INSERT INTO memberships (id, organization_id, user_id, role)"
                " VALUES (gen_random_uuid(), :o, :u, 'member')"
            ),
            {"o": other.id, "u": ada.user_id},
        )
    ada.organization_id = other.id
    async with new_browser() as there:
        await sign_in(there, ada)
        found = (await his.get(f"/api/auth/users/{ada.user_id}/sign-ins")).json()
        assert len(found["sessions"]) == 1
        await his.delete(f"/api/auth/users/{ada.user_id}/sessions")
        assert (await there.get("/api/me")).status_code == 200


@pytest.mark.asvs("7.4.5")
async def test_everyone_in_the_organisation_is_signed_out_but_nobody_elsewhere(office, client):
    admin, his, ada, hers = office
    await sign_in(client, await make_user())
    assert (await hers.delete("/api/auth/users/sessions")).status_code == 403
    assert (await his.delete("/api/auth/users/sessions")).json() == {"ended": 1}
    assert (await hers.get("/api/me")).status_code == 401
    assert (await his.get("/api/me")).status_code == 200
    assert (await client.get("/api/me")).status_code == 200
    assert ("session.everyone_revoked", None, admin.user_id) in await actions(ada.organization_id)


async def test_an_operator_resets_who_belongs_to_several_and_each_log_tells(office, mails_to):
    _, _, ada, hers = office
    await enrol(hers)
    other = await make_organization()
    await make_membership(ada, other)
    assert await people.reset_by_operator(ada.email.upper()) == ["totp"]
    assert (await hers.get("/api/me")).status_code == 401
    assert (await password_step(hers, ada)).json()["level"] == "full"
    assert any("was reset" in one.subject for one in await mails_to(ada.email))
    for place in (ada.organization_id, other.id):
        assert ("second_factor.reset", str(ada.user_id), None) in await actions(place)


def test_the_command_says_what_it_did_or_why_not(monkeypatch):
    from typer.testing import CliRunner

    from app.cli import cli

    async def nobody(email):
        raise NotFound("There is no account with this address.")

    async def reset(email):
        return ["totp"]

    for function, code, said in ((nobody, 1, "no account"), (reset, 0, "password alone")):
        monkeypatch.setattr(people, "reset_by_operator", function)
        monkeypatch.setattr("app.core.db.close", _nothing)
        done = CliRunner().invoke(cli, ["reset-factors", "ada@example.com"])
        assert (done.exit_code, said in done.output) == (code, True), done.output


async def _nothing():
    pass
