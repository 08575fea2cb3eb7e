"""Who may work as whom, and how it ends."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from app.access.roles import Role, granted
from app.core import db
from app.core.clock import now
from app.impersonation.jobs import clean_up, settle_all
from tests.factories import make_membership, make_organization, make_role, make_user, set_policy
from tests.factories import sign_in as sign_in
from tests.impersonation.conftest import OWN, REASON, begin, cookie, work_as


def kind(answer):
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


async def execute(statement, **values):
    async with db.transaction(elevated=True) as session:
        return await session.execute(text(statement), values)


async def test_an_administrator_works_as_a_member_and_goes_back(office):
    admin, his, ada, hers = office
    own = cookie(his)
    begun = await work_as(his, ada)
    ends_at = datetime.fromisoformat(begun["ends_at"])
    assert timedelta(minutes=29) < ends_at - now() < timedelta(minutes=31)
    me = (await his.get("/api/me")).json()
    assert (me["user_id"], me["email"]) == (str(ada.user_id), ada.email)
    assert me["impersonated_by"]["user_id"] == str(admin.user_id)
    assert me["impersonated_by"]["display_name"] == "Grace Hopper"
    assert (await hers.get("/api/me")).json()["impersonated_by"] is None
    assert (cookie(his), cookie(his, OWN)) != (own, None)

    back = await his.delete("/api/impersonation")
    his.headers["X-CSRF-Token"] = back.json()["csrf_token"]
    assert (cookie(his), cookie(his, OWN)) == (own, None)
    me = (await his.get("/api/me")).json()
    assert (me["user_id"], me["impersonated_by"]) == (str(admin.user_id), None)
    assert (await his.get("/api/users")).status_code == 200


async def test_the_session_that_ended_opens_nothing_any_more(office, new_browser):
    _, his, ada, _ = office
    await work_as(his, ada)
    async with new_browser() as copied:
        copied.cookies.set("__Host-session", cookie(his), domain="testserver.local", path="/")
        assert (await copied.get("/api/me")).status_code == 200
        await his.delete("/api/impersonation")
        assert (await copied.get("/api/me")).status_code == 401


@pytest.mark.parametrize("minutes", [0, -1, 61, 10_000, "soon"])
async def test_it_lasts_an_hour_at_most(office, minutes):
    _, his, ada, _ = office
    assert (await begin(his, ada, minutes=minutes)).status_code == 422


async def test_settings_say_how_long_it_lasts(office, configure):
    _, his, ada, _ = office
    configure(IMPERSONATION_MINUTES=5, IMPERSONATION_LONGEST_MINUTES=10)
    assert (await begin(his, ada, minutes=11)).json()["errors"] == {
        "minutes": "10 minutes at most."
    }
    ends_at = datetime.fromisoformat((await work_as(his, ada))["ends_at"])
    assert ends_at - now() < timedelta(minutes=5, seconds=5)


@pytest.mark.parametrize(
    "reason", ["", "because", "          ", "a\x00 reason with a NUL", "x" * 301]
)
async def test_a_reason_is_asked_for(office, reason):
    _, his, ada, _ = office
    assert (await begin(his, ada, reason=reason)).status_code == 422


@pytest.mark.asvs("8.2.1")
async def test_members_reviewers_and_roles_without_the_permission_cannot(office, new_browser):
    _, _, ada, _ = office
    role = await make_role(ada.organization_id, granted(Role.ADMIN) - {"people.impersonate"})
    for who in ("member", "reviewer", role):
        someone = await make_user(ada.organization_id, role=who)
        async with new_browser() as browser:
            await sign_in(browser, someone)
            assert kind(await begin(browser, ada)) == (403, "not-permitted")


@pytest.mark.asvs("7.5.1")
async def test_it_needs_a_fresh_proof(office):
    admin, his, ada, _ = office
    await execute(
        "UPDATE sessions SET authenticated_at = now() - interval '1 h' WHERE user_id = :u",
        u=admin.user_id,
    )
    assert kind(await begin(his, ada)) == (403, "prove-it-again")


@pytest.mark.asvs("8.2.1")
async def test_nobody_gains_a_right_by_it(office, new_browser):
    """Not an administrator, and not someone who may what the impersonator may not."""
    admin, his, ada, _ = office
    other = await make_user(admin.organization_id, role="admin")
    assert kind(await begin(his, other)) == (403, "not-as-them")
    assert kind(await begin(his, admin)) == (409, "not-as-yourself")
    # A part of what administrators have is enough.
    deputy = await make_role(admin.organization_id, {"audit.read"})
    clerk = await make_user(admin.organization_id, role=deputy)
    assert kind(await begin(his, clerk)) == (403, "not-as-them")
    support = await make_user(
        admin.organization_id,
        role=await make_role(admin.organization_id, {"people.impersonate", "usage.read_own"}),
    )
    async with new_browser() as browser:
        await sign_in(browser, support)
        assert kind(await begin(browser, ada)) == (403, "beyond-your-own")
        narrow = await make_role(admin.organization_id, {"usage.read_own"})
        await work_as(browser, await make_user(admin.organization_id, role=narrow))
        assert (await browser.get("/api/me")).json()["permissions"] == ["usage.read_own"]


@pytest.mark.asvs("8.2.2", "8.4.1")
async def test_people_of_another_organisation_do_not_exist(office, new_browser):
    _, his, ada, _ = office
    stranger = await make_user()
    assert (await begin(his, stranger)).status_code == 404
    # Who belongs to both is worked as here, and nothing of the other place shows.
    await make_membership(ada, await make_organization(), role="member")
    await work_as(his, ada)
    assert (await his.get("/api/me")).json()["organization_id"] == str(ada.organization_id)
    refused = await his.get("/api/organizations")
    assert refused.status_code in {403, 404}


async def test_who_cannot_sign_in_cannot_be_worked_as(office):
    _, his, ada, _ = office
    waiting = await make_user(ada.organization_id, activated_at=None)
    assert kind(await begin(his, waiting)) == (409, "cannot-sign-in")
    await his.post(f"/api/users/{ada.user_id}/suspend")
    assert kind(await begin(his, ada)) == (409, "cannot-sign-in")


async def test_an_organisation_switches_it_off(office):
    """What runs ends at once, and what is asked for is refused."""
    _, his, ada, _ = office
    await work_as(his, ada)
    await set_policy(ada.organization_id, second_factor="optional", impersonation=False)
    assert kind(await his.get("/api/me")) == (401, "impersonation-ended")
    back = await his.delete("/api/impersonation")
    his.headers["X-CSRF-Token"] = back.json()["csrf_token"]
    assert kind(await begin(his, ada)) == (403, "not-allowed-here")
    policy = (await his.get("/api/organization/policy")).json()
    assert policy["impersonation"] is False
    assert (
        await his.put("/api/organization/policy", json=policy | {"impersonation": True})
    ).is_success
    assert (await begin(his, ada)).status_code == 201


async def test_setting_the_policy_ends_what_runs(office, new_browser):
    _, his, ada, _ = office
    async with new_browser() as other:
        await sign_in(other, await make_user(ada.organization_id, role="admin"))
        await work_as(his, ada)
        await other.put("/api/organization/policy", json={"impersonation": False})
        await other.put("/api/organization/policy", json={"impersonation": True})
    assert kind(await his.get("/api/me")) == (401, "impersonation-ended")


@pytest.mark.asvs("2.3.4")
async def test_of_twenty_at_once_one_begins(office):
    _, his, ada, _ = office
    people = [ada, *[await make_user(ada.organization_id, password=False) for _ in range(4)]]
    path = "/api/users/{}/impersonation"
    own = {"Cookie": f"__Host-session={cookie(his)}"}
    his.cookies.clear()
    answers = await asyncio.gather(
        *(
            his.post(path.format(people[i % 5].user_id), json={"reason": REASON}, headers=own)
            for i in range(20)
        )
    )
    assert sorted(one.status_code for one in answers) == [201, *[409] * 19]
    running = await execute(
        "SELECT count(*) FROM sessions WHERE impersonator_session_id IS NOT NULL"
        " AND revoked_at IS NULL AND organization_id = :o",
        o=ada.organization_id,
    )
    assert running.scalar() == 1


ENDS = {
    "it is signed out": "UPDATE sessions SET revoked_at = now() WHERE user_id = :u",
    "it was not used": "UPDATE sessions SET last_seen_at = '2020-01-01' WHERE user_id = :u",
    "it is too old": "UPDATE sessions SET expires_at = now() WHERE user_id = :u",
    "it is gone": "DELETE FROM sessions WHERE user_id = :u",
    "it is half-way": "UPDATE sessions SET level = 'pending' WHERE user_id = :u",
    "the account is closed": "UPDATE users SET activated_at = NULL WHERE id = :u",
    "they are suspended": "UPDATE memberships SET suspended_at = now() WHERE user_id = :u",
    "they left": "DELETE FROM memberships WHERE user_id = :u",
    "they are a member now": "UPDATE memberships SET role = 'member' WHERE user_id = :u",
}


@pytest.mark.asvs("7.4.1")
@pytest.mark.parametrize("why", ENDS)
async def test_it_ends_with_the_administrators_own_session_or_role(office, why):
    admin, his, ada, _ = office
    await work_as(his, ada)
    assert (await his.get("/api/me")).status_code == 200
    await execute(ENDS[why], u=admin.user_id)
    assert (await his.get("/api/me")).status_code == 401


async def test_it_ends_when_the_person_becomes_an_administrator(office):
    _, his, ada, _ = office
    await work_as(his, ada)
    await execute("UPDATE memberships SET role = 'admin' WHERE user_id = :u", u=ada.user_id)
    assert kind(await his.get("/api/me")) == (401, "impersonation-ended")


async def test_the_administrators_session_stays_awake_meanwhile(office):
    admin, his, ada, _ = office
    await work_as(his, ada)
    await execute(
        "UPDATE sessions SET last_seen_at = now() - interval '20 min' WHERE user_id = :u",
        u=admin.user_id,
    )
    assert (await his.get("/api/me")).status_code == 200
    seen = await execute("SELECT last_seen_at FROM sessions WHERE user_id = :u", u=admin.user_id)
    assert now() - seen.scalar() < timedelta(minutes=1)


async def test_afterwards_nothing_happens_as_the_wrong_one(office):
    """The administrator's own session waits in the browser, and is not used by itself."""
    _, his, ada, _ = office
    await work_as(his, ada)
    await execute("UPDATE sessions SET expires_at = now() WHERE user_id = :u", u=ada.user_id)
    refused = await his.patch("/api/me", json={"display_name": "Someone Else"})
    assert kind(refused) == (401, "impersonation-ended")
    back = await his.delete("/api/impersonation")
    his.headers["X-CSRF-Token"] = back.json()["csrf_token"]
    assert (await his.get("/api/me")).json()["display_name"] == "Grace Hopper"


async def test_signing_out_ends_both(office, new_browser):
    _, his, ada, _ = office
    own = cookie(his)
    await work_as(his, ada)
    assert (await his.post("/api/auth/sign-out")).status_code == 204
    assert (cookie(his), cookie(his, OWN)) == (None, None)
    async with new_browser() as copied:
        copied.cookies.set("__Host-session", own, domain="testserver.local", path="/")
        assert (await copied.get("/api/me")).status_code == 401


async def test_the_person_ends_it_on_their_own(office):
    _, his, ada, hers = office
    await work_as(his, ada)
    found = (await hers.get("/api/auth/sessions")).json()
    [theirs] = [one for one in found if one["impersonated"]]
    assert (await hers.delete(f"/api/auth/sessions/{theirs['id']}")).status_code == 204
    assert kind(await his.get("/api/me")) == (401, "impersonation-ended")
    assert (await hers.get("/api/me")).status_code == 200


async def test_a_second_one_waits_for_the_end_of_the_first(office):
    _, his, ada, _ = office
    other = await make_user(ada.organization_id)
    own, csrf = cookie(his), his.headers["X-CSRF-Token"]
    await work_as(his, ada)
    aside = {"Cookie": f"__Host-session={own}", "X-CSRF-Token": csrf}
    his.cookies.clear()
    path = f"/api/users/{other.user_id}/impersonation"
    refused = await his.post(path, json={"reason": REASON}, headers=aside)
    assert kind(refused) == (409, "already-impersonating")
    # By the own session it ends, too: the browser that had the other one may be gone.
    assert (await his.delete("/api/impersonation", headers=aside)).status_code == 200
    assert (await his.post(path, json={"reason": REASON}, headers=aside)).status_code == 201


async def test_the_person_is_told_by_mail_once(office, mails_to):
    _, his, ada, _ = office
    await work_as(his, ada)
    await execute(
        "UPDATE impersonations SET created_at = now() - interval '12 min' WHERE user_id = :u",
        u=ada.user_id,
    )
    assert await mails_to(ada.email) == [], "afterwards"
    await asyncio.gather(his.delete("/api/impersonation"), settle_all(), settle_all())
    await settle_all()
    [letter] = await mails_to(ada.email)
    assert letter.subject.startswith("An administrator worked as you")
    for told in ("Grace Hopper", REASON, "Minutes: 12", "Began: 20"):
        assert told in letter.body


async def test_what_ended_by_itself_is_told_and_recorded_too(office, mails_to):
    admin, his, ada, _ = office
    await work_as(his, ada)
    await settle_all()
    assert await mails_to(ada.email) == []
    await execute("UPDATE sessions SET revoked_at = now() WHERE user_id = :u", u=admin.user_id)
    await settle_all()
    assert len(await mails_to(ada.email)) == 1
    async with db.transaction(organization_id=ada.organization_id) as session:
        found = await session.execute(
            text(
                "SELECT user_id, on_behalf_of, detail FROM audit_events"
                " WHERE action = 'impersonation.ended'"
            )
        )
        [event] = found.all()
    assert (event.user_id, event.on_behalf_of) == (admin.user_id, ada.user_id)
    assert 0 <= event.detail["seconds"] < 60


async def test_after_a_year_it_is_forgotten(office):
    _, his, ada, _ = office
    await work_as(his, ada)
    await his.delete("/api/impersonation")
    counted = "SELECT count(*) FROM impersonations WHERE user_id = :u"
    await clean_up()
    assert (await execute(counted, u=ada.user_id)).scalar() == 1
    await execute(
        "UPDATE impersonations SET ended_at = now() - interval '366 days' WHERE user_id = :u",
        u=ada.user_id,
    )
    await clean_up()
    assert (await execute(counted, u=ada.user_id)).scalar() == 0


async def test_a_program_cannot_begin_it(office, new_browser):
    admin, _, ada, _ = office
    async with new_browser() as program:
        issued = await program.post(
            "/api/auth/token", json={"email": admin.email, "password": admin.password}
        )
        bearer = {"Authorization": f"Bearer {issued.json()['access_token']}"}
        answer = await program.post(
            f"/api/users/{ada.user_id}/impersonation", json={"reason": REASON}, headers=bearer
        )
    assert kind(answer) == (403, "not-permitted")
