"""A week that is not like the weeks before is told, once, to those who may read it."""

import random
from datetime import timedelta

import pytest
from sqlalchemy import insert, text, update

from app.core import db
from app.core.clock import now
from app.core.ids import uuid7
from app.monitoring import drift
from app.monitoring.jobs import look_for_drift
from app.monitoring.models import DriftAlert, MonitoredCall
from tests.factories import make_organization, make_user, sign_in
from tests.leftovers import take_away
from tests.usage.test_told import mails_to

DAY = timedelta(days=1)


@pytest.fixture(scope="module", autouse=True)
def no_old_calls(database):
    """Every organisation that was busy lately is looked at; those of other tests were, too."""
    take_away(database, "DELETE FROM monitoring_calls")


def a_call(organization, chance, *, days_ago, german=0.1, length=100, guard=0.02):
    stopped = chance.random() < guard
    return {
        "id": uuid7(),
        "organization_id": organization.id,
        "created_at": now() - timedelta(days=days_ago),
        "feature": "assistant",
        "provider": "p",
        "model": "m",
        "prompt": "",
        "prompt_version": None,
        "outcome": "refused" if stopped else "answered",
        "guard": "injection" if stopped else "",
        "declined": False,
        "confidence": None,
        "question_characters": round(chance.lognormvariate(0, 0.5) * length),
        "answer_characters": 400,
        "language": "de" if chance.random() < german else "en",
        "topic": chance.randrange(24),
        "asker": chance.randrange(2**31),
    }


async def remember(organization, chance, *, calls=1200, week=400, **this_week):
    """Four weeks, and a week that may be different."""
    rows = [a_call(organization, chance, days_ago=chance.uniform(7.1, 34)) for _ in range(calls)]
    rows += [
        a_call(organization, chance, days_ago=chance.uniform(0, 6.9), **this_week)
        for _ in range(week)
    ]
    async with db.transaction(organization_id=organization.id) as session:
        await session.execute(insert(MonitoredCall), rows)


@pytest.fixture
async def team(app):
    organization = await make_organization()
    return (
        organization,
        await make_user(organization, role="admin", password=False),
        await make_user(organization, password=False),
    )


@pytest.mark.dear
async def test_a_drift_is_told_once_and_again_only_after_it_was_over(team, client):
    organization, admin, member = team
    calm = await make_organization()
    other = await make_user(calm, role="admin", password=False)
    chance = random.Random(42)
    await remember(organization, chance, german=0.35, length=170)
    await remember(calm, chance)
    await look_for_drift()
    await look_for_drift()
    [told] = await mails_to(admin)
    assert "question length: about 10" in told.body
    assert "language: en 9" in told.body
    assert "topic" not in told.body
    assert "/monitoring/drift" in told.body
    assert await mails_to(member) == await mails_to(other) == []

    await sign_in(client, admin)
    found = (await client.get("/api/monitoring/drift")).json()
    assert {one["measure"] for one in found["alerts"]} == {"question length", "language"}
    readings = {one["measure"]: one for one in found["readings"]}
    assert readings["language"]["drifted"] is True
    assert readings["topic"]["drifted"] is readings["stopped"]["drifted"] is False
    assert (readings["topic"]["reference"], readings["topic"]["current"]) == (1200, 400)
    events = (await client.get("/api/audit", params={"action": "monitoring"})).json()
    assert [one["action"] for one in events["events"]] == ["monitoring.drift"] * 2
    await sign_in(client, other)
    quiet = (await client.get("/api/monitoring/drift")).json()
    assert quiet["alerts"] == []
    assert quiet["readings"]
    assert not any(one["drifted"] for one in quiet["readings"])

    # Once it is over, it is told anew when it comes back.
    async with db.transaction(elevated=True) as session:
        await session.execute(
            update(DriftAlert)
            .where(DriftAlert.organization_id == organization.id)
            .values(ended_at=now() - DAY)
        )
    await look_for_drift()
    assert len(await mails_to(admin)) == 2


async def test_too_few_calls_are_not_compared(team, client):
    organization, admin, _ = team
    await remember(organization, random.Random(1), week=150, german=0.9, length=1000)
    await look_for_drift()
    assert await mails_to(admin) == []
    await sign_in(client, admin)
    assert (await client.get("/api/monitoring/drift")).json() == {"alerts": [], "readings": []}


async def test_one_organisation_that_cannot_be_looked_at_keeps_no_other_from_it(team, monkeypatch):
    organization, _, _ = team
    others = [await make_organization(), await make_organization()]
    for one in (organization, *others):
        await remember(one, random.Random(1), calls=2, week=2)
    seen = []

    async def look(organization_id, until):
        seen.append(organization_id)
        if organization_id == seen[0]:
            raise RuntimeError("a broken row")
        return 0

    monkeypatch.setattr(drift, "look", look)
    with pytest.raises(RuntimeError):  # So that it is tried again.
        await look_for_drift()
    assert {organization.id, *(one.id for one in others)} <= {*seen}


async def test_a_drift_ends_when_it_is_not_seen_for_a_week(team):
    organization, _, _ = team
    await remember(organization, random.Random(2), german=0.5)
    await look_for_drift()
    await drift.look(organization.id, now() + 9 * DAY)
    async with db.transaction(organization_id=organization.id) as session:
        found = await drift.alerts(session, now() - DAY)
    assert [(one.measure, one.ended_at is None) for one in found] == [("language", False)]


THUMBS = text("""
    WITH call AS (
        INSERT INTO usage_records (id, created_at, organization_id, user_id, feature, provider,
            model, prompt, state, outcome, reserved_tokens, reserved_microdollars, input_tokens,
            cached_input_tokens, output_tokens, microdollars, estimated, price_known, expires_at)
        SELECT gen_random_uuid(), now(), :organization, person, 'assistant', 'p', 'm', '',
            'settled', 'answered', 0, 0, 1, 0, 1, 1, false, true, now()
        FROM unnest(CAST(:people AS uuid[])) AS person RETURNING id, user_id)
    INSERT INTO feedback (id, created_at, organization_id, user_id, call_id, rating, comment,
        correction)
    SELECT gen_random_uuid(), now() - make_interval(days => :days), :organization, user_id, id,
        CASE WHEN row_number() OVER () <= :up THEN 'up' ELSE 'down' END, '', '' FROM call
""")


async def test_thumbs_that_turn_down_are_a_drift(team):
    organization, admin, _ = team
    await remember(organization, random.Random(3))
    async with db.transaction(elevated=True) as session:
        # Of one person and day, one thumb counts.
        people = await session.scalars(
            text("""
                INSERT INTO users (id, email, display_name)
                SELECT gen_random_uuid(), gen_random_uuid() || '@example.com', 'Someone'
                FROM generate_series(1, 50) RETURNING id
            """)
        )
        values = {"organization": organization.id, "people": list(people)}
    async with db.transaction(organization_id=organization.id) as session:
        for days_ago, up in [(20, 45), (19, 45), (2, 20), (1, 20)]:
            await session.execute(THUMBS, values | {"days": days_ago, "up": up})
    await look_for_drift()
    [told] = await mails_to(admin)
    assert "thumbs: 90.0% → 40.0%" in told.body
