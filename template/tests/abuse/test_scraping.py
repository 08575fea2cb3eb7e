"""Reading far more than people do, by session and by key."""

from time import monotonic

import pytest
from sqlalchemy import text

from app.abuse import in_force, seeing, subjects
from app.abuse.seeing import Seen
from app.core import db
from app.limits import service
from tests.abuse.conftest import measures, sightings
from tests.asking import through_the_assistant
from tests.factories import make_organization, make_user, sign_in

pytestmark = through_the_assistant

READ = "/api/conversations"


async def read(client, times, path=READ):
    return [(await client.get(path)).status_code for _ in range(times)]


@pytest.fixture
async def member(client):
    made = await make_user()
    await sign_in(client, made)
    return made


@pytest.fixture
async def key(client):
    """A key of an administrator, and the headers that bring it."""
    admin = await make_user(role="admin")
    await sign_in(client, admin, second_factor=True)
    form = {"name": "A program", "scopes": ["users.read", "usage.read"]}
    made = (await client.post("/api/keys", json=form)).json()
    client.cookies.clear()
    client.headers.pop("X-CSRF-Token")
    client.headers.pop("Sec-Fetch-Site")
    client.headers["Authorization"] = f"Bearer {made['secret']}"
    return admin, made["id"]


@pytest.mark.asvs("2.4.1")
async def test_who_reads_far_more_than_people_do_is_slowed(client, member, limits):
    assert await read(client, 18) == [200] * 18
    refused = await client.get(READ)
    assert (refused.status_code, refused.json()["type"]) == (429, "/problems/slowed-down")
    [seen] = await sightings()
    assert (seen["kind"], seen["subject"]) == ("scraping", str(member.user_id))
    assert seen["organization_id"] == member.organization_id
    # Slowed is not shut out: a page every few seconds.
    began = monotonic()
    statuses = await read(client, 40)
    assert 25 <= statuses.count(200) <= 31 + (monotonic() - began) / 2
    assert statuses[-1] == 429


@pytest.mark.asvs("2.4.1")
async def test_a_member_whose_program_goes_on_is_suspended_for_a_while(client, member, limits):
    await read(client, 170)
    refused = await client.get(READ)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/suspended-for-now")
    assert "ask an administrator" in refused.json()["detail"]
    # Not only reading; but one's own account and the way out stay open.
    assert (await client.post("/api/conversations", json={})).status_code == 403
    assert (await client.get("/api/me")).status_code == 200
    assert (await client.post("/api/auth/sign-out")).status_code == 204


async def test_who_administers_is_slowed_and_never_suspended(client, limits):
    await sign_in(client, await make_user(role="admin"), second_factor=True)
    await read(client, 170)
    assert {one["measure"] for one in await measures()} == {"slow"}
    assert (await client.get(READ)).status_code == 429


@pytest.mark.asvs("2.4.1")
async def test_a_key_is_suspended_and_its_owner_is_not(client, new_browser, key, limits):
    admin, key_id = key
    assert (await client.get("/api/users")).status_code == 200
    await read(client, 170, "/api/users")
    refused = await client.get("/api/users")
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/suspended-for-now")
    assert {(one["subject_kind"], one["subject"]) for one in await measures()} == {("key", key_id)}
    async with new_browser() as browser:
        await sign_in(browser, admin, second_factor=True)
        assert (await browser.get("/api/users")).status_code == 200
        for one in (await browser.get("/api/abuse/measures")).json()["measures"]:
            path = f"/api/abuse/measures/{one['id']}/lift"
            assert (await browser.post(path, json={"reason": "It is ours."})).status_code == 200
    assert (await client.get("/api/users")).status_code != 403


@pytest.mark.asvs("2.4.1")
@pytest.mark.parametrize("scope", ["all", "model"])
async def test_whoever_is_suspended_does_not_go_on_by_a_key(client, new_browser, member, scope):
    form = {"name": "A program", "scopes": ["assistant.use", "llm.call"]}
    made = (await client.post("/api/keys", json=form)).json()
    async with new_browser() as program:
        program.headers["Authorization"] = f"Bearer {made['secret']}"
        here = (await program.post("/api/conversations", json={})).json()["id"]
        await hold(member, "suspend", scope)
        answer = await program.post(f"/api/conversations/{here}/messages", json={"text": "More?"})
        assert "suspended-for-now" in answer.text
        reading = await program.get("/api/conversations")
        assert reading.status_code == (403 if scope == "all" else 200)


async def hold(someone, measure, scope):
    subject = subjects.person(someone.organization_id, someone.user_id)
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "INSERT INTO abuse_measures (id, organization_id, measure, scope, subject_kind,"
                " subject, subject_key, because, until) VALUES (gen_random_uuid(), :o, :m, :s,"
                " 'person', :shown, :key, 'a test', now() + interval '1 h')"
            ),
            {
                "o": someone.organization_id,
                "m": measure,
                "s": scope,
                "shown": subject.shown,
                "key": subject.key,
            },
        )
    in_force.forget()


async def test_a_key_lifts_nothing(client, key):
    answer = await client.post("/api/abuse/measures", json={})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "limit",
    ["limit=200", "%6Cimit=200", "limit=%2B200", "limit=2_00", "limit=200.0", "limit=0000000200"],
)
async def test_long_lists_count_as_the_pages_that_they_fill(client, limits, limit):
    await sign_in(client, await make_user(role="admin"), second_factor=True)
    statuses = await read(client, 5, f"/api/users?{limit}")
    # Then it is slowed, and a page every few seconds goes.
    assert statuses == [200, 200, 200, 429, 200]


async def test_what_holds_in_one_organisation_does_not_in_another(client, new_browser, limits):
    from tests.factories import make_membership

    ada = await make_user()
    other = await make_organization()
    await make_membership(ada, other)
    await seeing.see(
        Seen(
            "scraping",
            subjects.person(ada.organization_id, ada.user_id),
            9,
            1,
            "suspend",
            "requests",
        )
    )
    await sign_in(client, ada)
    assert (await client.get(READ)).status_code == 403
    ada.organization_id = other.id
    async with new_browser() as elsewhere:
        await sign_in(elsewhere, ada)
        assert (await elsewhere.get(READ)).status_code == 200


async def test_a_working_day_sets_nothing_off(client, member):
    """With the thresholds as they are delivered: someone who clicks twice a second for minutes."""
    assert set(await read(client, 400)) == {200}
    assert await sightings() == []


async def test_what_was_known_holds_while_the_database_is_away(client, member, monkeypatch):
    await seeing.see(
        Seen(
            "scraping",
            subjects.person(member.organization_id, member.user_id),
            9,
            1,
            "suspend",
            "requests",
        )
    )
    assert (await client.get(READ)).status_code == 403

    async def away(*_):
        raise TimeoutError

    monkeypatch.setattr(in_force, "fetch_all", away)
    in_force.forget()
    assert (await client.get(READ)).status_code == 403


async def test_reading_costs_hardly_a_statement_of_its_own(client, member, monkeypatch):
    await read(client, 1)
    asked = []
    for module, name in ((service, "fetch"), (in_force, "fetch_all")):
        real = getattr(module, name)

        async def counted(*given, real=real):
            asked.append(given)
            return await real(*given)

        monkeypatch.setattr(module, name, counted)
    began = monotonic()
    await read(client, 100)
    # A lease of the address's budget is 120 requests, and measures are read every five seconds.
    assert len(asked) <= 3 + (monotonic() - began) / 5
