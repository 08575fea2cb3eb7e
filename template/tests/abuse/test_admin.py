"""Looking at it, and deciding by hand, over the API."""

import pytest
from sqlalchemy import text

from app.abuse import seeing, subjects
from app.abuse.jobs import forget
from app.abuse.seeing import Seen
from app.core import db
from app.users.service import the_organization
from tests.abuse.conftest import measures, right_password, sightings, try_password
from tests.abuse.test_sign_ins import at
from tests.factories import make_organization, make_user, sign_in, stay_locked_out

REASON = {"reason": "A school signs in from there."}


@pytest.fixture
async def operators(database):
    """The organisation that runs the app."""
    async with db.transaction(elevated=True) as session:
        return (await the_organization(session)).id


@pytest.fixture
async def admin(client, operators):
    """An administrator of those who run the app, signed in."""
    made = await make_user(operators, role="admin")
    await sign_in(client, made, second_factor=True)
    return made


async def decide(client, **values):
    form = {"subject_kind": "person", "measure": "suspend", "minutes": 30} | REASON | values
    return await client.post("/api/abuse/measures", json=form)


async def recorded(organization_id, action):
    async with db.transaction(organization_id=organization_id) as session:
        found = await session.execute(
            text("SELECT target, detail, user_id FROM audit_events WHERE action = :a"),
            {"a": action},
        )
        return [tuple(one) for one in found]


async def test_what_was_seen_and_what_holds_is_listed(client, new_browser, admin, limits):
    async with new_browser() as stranger:
        for _ in range(4):
            await try_password(stranger)
        network = subjects.network(stranger._transport.client[0]).shown
    seen = (await client.get("/api/abuse/sightings")).json()
    [one] = seen["sightings"]
    assert (one["kind"], one["subject"], one["measure"]) == ("stuffing", network, "slow")
    held = (await client.get("/api/abuse/measures")).json()
    [one] = held["measures"]
    assert (one["measure"], one["scope"], one["set_by"]) == ("slow", "sign-in", None)
    assert (await client.get("/api/abuse/measures?state=ended")).json()["measures"] == []
    assert (await client.get("/api/abuse/measures?of=person")).json()["measures"] == []
    assert (await client.get("/api/abuse/sightings?kind=scraping")).json()["sightings"] == []


async def test_lists_come_in_pages(client, admin):
    for last in range(5):
        answer = await decide(client, subject_kind="address", subject=f"198.51.100.{last}")
        assert answer.status_code == 201
    found, before = [], None
    while True:
        query = {"limit": 2} | ({"before": before} if before else {})
        page = (await client.get("/api/abuse/measures", params=query)).json()
        found += [one["id"] for one in page["measures"]]
        before = page["next"]
        if before is None:
            break
    assert len(found) == len(set(found)) == 5


@pytest.mark.asvs("8.3.1")
async def test_lifting_ends_it_at_once_and_begins_anew(client, new_browser, admin, limits):
    limits(ABUSE_LOGINS_PER_ADDRESS=2)
    ada = await make_user()
    async with new_browser() as stranger:
        for _ in range(8):
            await try_password(stranger)
        assert (await right_password(stranger, ada)).status_code == 429
        for one in (await client.get("/api/abuse/measures")).json()["measures"]:
            path = f"/api/abuse/measures/{one['id']}/lift"
            lifted = await client.post(path, json=REASON)
            assert lifted.status_code == 200
            assert lifted.json()["lifted_because"] == REASON["reason"]
            assert (await client.post(path, json=REASON)).status_code == 404
        # One failure more does not bring it back.
        assert (await try_password(stranger)).status_code == 401
        assert (await right_password(stranger, ada)).status_code == 200
    events = await recorded(admin.organization_id, "abuse.measure_lifted")
    assert {user for _, _, user in events} >= {admin.user_id}
    assert "school" not in str(events)


async def test_everyone_is_let_go_on_again(client, new_browser, admin, limits):
    limits(ABUSE_FAILURES_USUAL=2)
    for _ in range(2):
        async with new_browser() as stranger:
            await try_password(stranger)
    [one] = (await client.get("/api/abuse/measures?of=everyone")).json()["measures"]
    assert (await client.post(f"/api/abuse/measures/{one['id']}/lift", json=REASON)).is_success
    async with new_browser() as stranger:
        await try_password(stranger)
    assert (await client.get("/api/abuse/measures")).json()["measures"] == []


@pytest.mark.parametrize(
    ("typed", "kind", "held_at", "free_at"),
    [
        ("198.51.100.7", "address", "198.51.100.7", "198.51.100.8"),
        ("203.0.113.0/24", "network", "203.0.113.200", "203.0.112.200"),
        ("2001:db8:1:2::/64", "address", "2001:db8:1:2::77", "2001:db8:1:3::77"),
        ("2001:db8:1:2::5", "address", "2001:db8:1:2::77", "2001:db8:1:3::77"),
        ("2001:db8:7::/48", "network", "2001:db8:7:ffff::1", "2001:db8:8::1"),
    ],
)
async def test_an_address_is_suspended_by_hand(
    client, new_browser, admin, typed, kind, held_at, free_at
):
    made = await decide(client, subject_kind="address", subject=typed)
    assert (made.status_code, made.json()["subject_kind"]) == (201, kind)
    assert made.json()["set_by"] == str(admin.user_id)
    for address, status in ((held_at, 429), (free_at, 401)):
        async with new_browser() as stranger:
            assert (await try_password(at(stranger, address))).status_code == status


@pytest.mark.parametrize("typed", ["", "everyone", "0.0.0.0/0", "10.0.0.0/8", "::/0", "1.2.3"])
async def test_no_wider_network_is_held(client, admin, typed):
    refused = await decide(client, subject_kind="address", subject=typed)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/no-address")


@pytest.mark.asvs("8.4.1")
async def test_another_organisation_sees_and_lifts_nothing_of_it(
    client, new_browser, admin, operators
):
    other = await make_organization()
    theirs = await make_user(other)
    ours = (await decide(client, subject_kind="address", subject="198.51.100.7")).json()["id"]
    await seeing.see(
        Seen("scraping", subjects.person(operators, admin.user_id), 9, 1, "slow", "requests")
    )
    async with new_browser() as stranger:
        await sign_in(stranger, await make_user(other, role="admin"), second_factor=True)
        for path, name in (("sightings", "sightings"), ("measures", "measures")):
            for state in ("", "?state=ended") if name == "measures" else ("",):
                assert (await stranger.get(f"/api/abuse/{path}{state}")).json()[name] == []
        lifted = await stranger.post(f"/api/abuse/measures/{ours}/lift", json=REASON)
        assert lifted.status_code == 404
        # Nor does it shut addresses to everyone, or hold back whoever is not its own.
        refused = await decide(stranger, subject_kind="address", subject="198.51.100.9")
        assert (refused.status_code, refused.json()["type"]) == (
            403,
            "/problems/not-your-organization",
        )
        assert (await decide(stranger, subject=str(admin.user_id))).status_code == 404
        assert (await decide(stranger, subject_kind="key", subject=ours)).status_code == 404
        assert (await decide(stranger, subject=str(theirs.user_id))).status_code == 201
    assert [one["lifted_at"] for one in await measures() if str(one["id"]) == ours] == [None]


@pytest.mark.asvs("8.2.1")
async def test_only_administrators_look_and_decide(client):
    for role in ("member", "reviewer"):
        await sign_in(client, await make_user(role=role), second_factor=True)
        assert (await client.get("/api/abuse/measures")).status_code == 403
        assert (await client.get("/api/abuse/lockouts")).status_code == 403
        assert (await decide(client, subject="x")).status_code == 403


async def test_nobody_decides_about_themselves(client, admin):
    refused = await decide(client, subject=str(admin.user_id))
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-about-yourself")


async def test_some_things_make_no_sense(client, admin):
    member = await make_user(admin.organization_id)
    refused = await decide(client, subject=str(member.user_id), measure="challenge")
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/not-for-them")
    refused = await decide(client, subject_kind="organization", subject="", measure="suspend")
    assert refused.status_code == 422
    for odd in ({"reason": "no"}, {"minutes": 0}, {"minutes": 10**9}, {"subject": "x" * 300}):
        assert (await decide(client, **{"subject": "198.51.100.7"} | odd)).status_code == 422


async def test_a_stricter_decision_takes_the_place_of_a_milder_one(client, admin):
    for measure in ("suspend", "slow"):
        assert (
            await decide(client, subject_kind="address", subject="198.51.100.7", measure=measure)
        ).is_success
    held = (await client.get("/api/abuse/measures")).json()["measures"]
    assert [one["measure"] for one in held] == ["slow"]


async def test_a_lockout_is_seen_and_lifted(client, new_browser, admin):
    ada = await make_user(admin.organization_id)
    async with new_browser() as stranger:
        for _ in range(8):
            await try_password(stranger, ada.email)
        await stay_locked_out()
        assert (await right_password(stranger, ada)).status_code == 429
        [one] = (await client.get("/api/abuse/lockouts")).json()
        assert (one["email"], one["attempts"] > 5) == (ada.email, True)
        path = f"/api/abuse/lockouts/{ada.user_id}/lift"
        assert (await client.post(path, json=REASON)).status_code == 204
        assert (await client.post(path, json=REASON)).status_code == 404
        assert (await right_password(stranger, ada)).status_code == 200
    assert [target for target, _, _ in await recorded(admin.organization_id, "lockout.lifted")][
        -1
    ] == str(ada.user_id)
    [kept] = (await client.get("/api/abuse/measures?state=ended")).json()["measures"]
    assert (kept["because"], kept["lifted_because"]) == ("lockout", REASON["reason"])


@pytest.mark.asvs("8.4.1")
async def test_lockouts_of_another_organisation_are_none_of_ones_business(
    client, new_browser, admin
):
    theirs = await make_user()
    async with new_browser() as stranger:
        for _ in range(8):
            await try_password(stranger, theirs.email)
        await stay_locked_out()
        assert (await client.get("/api/abuse/lockouts")).json() == []
        path = f"/api/abuse/lockouts/{theirs.user_id}/lift"
        assert (await client.post(path, json=REASON)).status_code == 404
        assert (await right_password(stranger, theirs)).status_code == 429


@pytest.mark.asvs("14.2.4")
async def test_what_was_seen_is_forgotten_in_time(client, admin, new_browser, limits):
    async with new_browser() as stranger:
        for _ in range(4):
            await try_password(stranger)
    async with db.transaction(elevated=True) as session:
        for statement in (
            "UPDATE abuse_sightings SET last_at = now() - interval '31 days'",
            "UPDATE abuse_measures SET until = now() - interval '29 days'",
            "UPDATE abuse_counters SET started_at = now() - interval '61 minutes'",
        ):
            await session.execute(text(statement))
    await forget()
    assert (await sightings(), len(await measures())) == ([], 1)
    async with db.transaction(elevated=True) as session:
        assert await session.scalar(text("SELECT count(*) FROM abuse_counters")) == 0
