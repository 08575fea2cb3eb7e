"""A feature, a model or a person whose cost jumps while the organisation's hides it."""

from datetime import datetime

import pytest
from sqlalchemy import insert, text

from app.core import db
from app.core.clock import now
from app.core.ids import uuid7
from app.usage.jobs import look_for_anomalies
from app.usage.models import UsageAnomaly, UsageCounter, UsageRecord
from app.usage.usual import HOUR, WEEK, jump
from tests.factories import Someone, make_organization, make_user, sign_in
from tests.usage.test_told import mails_to

pytestmark = pytest.mark.usefixtures("no_old_spending")

DOLLAR = 1_000_000
WEEKS = 5


def this_hour() -> datetime:
    return now().replace(minute=0, second=0, microsecond=0)


def booked(someone: Someone, at: datetime, dollars: float, **more: str) -> dict[str, object]:
    zeros = "cached_input_tokens output_tokens reserved_tokens reserved_microdollars"
    return (
        {
            "id": uuid7(),
            "organization_id": someone.organization_id,
            "user_id": someone.user_id,
            "created_at": at,
            "expires_at": at,
            "finished_at": at,
            "feature": "assistant",
            "provider": "openai",
            "model": "m",
            "prompt": "",
            "state": "settled",
            "outcome": "answered",
            "input_tokens": 1000,
            "microdollars": int(dollars * DOLLAR),
            "estimated": False,
            "price_known": True,
        }
        | dict.fromkeys(zeros.split(), 0)
        | more
    )


async def keep(someone: Someone, records: list[dict[str, object]], hourly: float) -> None:
    """Calls, and what all calls of the organisation came to in each hour."""
    zeros = "reserved_calls reserved_tokens reserved_microdollars refused"
    counters = [
        {
            "organization_id": someone.organization_id,
            "period": "hour",
            "starts_at": this_hour() - n * HOUR,
            "calls": 1,
            "tokens": 1000,
            "microdollars": int(hourly * DOLLAR) + n % 5 * DOLLAR,
        }
        | dict.fromkeys(zeros.split(), 0)
        for n in range(WEEKS * 168)
    ]
    async with db.transaction(organization_id=someone.organization_id) as session:
        await session.execute(insert(UsageCounter), counters)
        await session.execute(insert(UsageRecord), records)


@pytest.fixture
async def office(app) -> tuple[Someone, Someone, Someone]:
    """An administrator and two members of one organisation whose hours cost 300 dollars."""
    organization = await make_organization()
    admin = await make_user(organization, role="admin")
    return admin, *[
        await make_user(organization, password=False, display_name=name)
        for name in ("Grace Hopper", "Alan Turing")
    ]


def usually(someone: Someone, **more: str) -> list[dict[str, object]]:
    """A dollar or two in every second hour of five weeks."""
    return [
        booked(someone, this_hour() - n * HOUR, 1 + n % 3 / 2, **more)
        for n in range(2, WEEKS * 168, 2)
    ]


@pytest.mark.parametrize("kind", ["feature", "model", "person"])
async def test_whose_cost_jumps_is_found_though_the_organisations_is_as_usual(client, office, kind):
    admin, member, other = office
    own = {"feature": {"feature": "letters"}, "model": {"model": "dear"}, "person": {}}[kind]
    jumps = other if kind == "person" else member
    records = [
        *usually(member),
        *usually(jumps, **own),
        booked(jumps, this_hour(), 45, **own),
    ]
    # All that the jump is not of is far larger anyway.
    records += [booked(member, this_hour() - n * HOUR, 60) for n in range(WEEKS * 168)]
    await keep(admin, records, hourly=300)
    await look_for_anomalies()
    await look_for_anomalies()

    [told] = await mails_to(admin)
    name = {"feature": "Feature letters", "model": "Model dear", "person": "Alan Turing"}[kind]
    assert f"{name}, from " in told.body
    assert "$45.00" in told.body
    assert "All together" not in told.body
    assert await mails_to(member) == []

    await sign_in(client, admin)
    [one] = (await client.get("/api/usage/anomalies")).json()
    assert (one["kind"], one["seen"], one["unit"]) == (kind, 45 * DOLLAR, "microdollars")
    assert one["user_id"] == (str(other.user_id) if kind == "person" else None)
    assert one["name"] == next(iter(own.values()), "")
    events = (await client.get("/api/audit", params={"action": "usage.anomaly"})).json()["events"]
    assert [event["detail"]["of"] for event in events] == [kind]


async def test_of_another_organisation_and_by_members_nothing_is_seen(client, office):
    admin, member, _ = office
    await keep(admin, [*usually(member), booked(member, this_hour(), 45)], hourly=300)
    await look_for_anomalies()
    stranger = await make_user(role="admin")
    assert await mails_to(stranger) == []
    await sign_in(client, stranger)
    assert (await client.get("/api/usage/anomalies")).json() == []
    await sign_in(client, await make_user(admin.organization_id))
    assert (await client.get("/api/usage/anomalies")).status_code == 403
    await sign_in(client, admin)
    assert {one["kind"] for one in (await client.get("/api/usage/anomalies")).json()} == {
        "feature",
        "model",
        "person",
    }, "one hour of one person is told of all that it was a jump of, in one mail"
    assert len(await mails_to(admin)) == 1


async def test_while_all_of_it_is_strange_the_parts_are_not_told_as_well(client, office):
    admin, member, _ = office
    await keep(admin, [*usually(member), booked(member, this_hour(), 5000)], hourly=300)
    async with db.transaction(organization_id=admin.organization_id) as session:
        await session.execute(
            text("UPDATE usage_counters SET microdollars = 5300000000 WHERE starts_at = :hour"),
            {"hour": this_hour()},
        )
    await look_for_anomalies()
    [told] = await mails_to(admin)
    assert "All together, from " in told.body
    await sign_in(client, admin)
    found = (await client.get("/api/usage/anomalies")).json()
    assert [one["kind"] for one in found] == ["organization"]


async def test_a_person_who_is_gone_takes_their_strange_hours_along(office):
    admin, member, _ = office
    async with db.transaction(elevated=True) as session:
        await session.execute(
            insert(UsageAnomaly).values(
                organization_id=admin.organization_id,
                kind="person",
                user_id=member.user_id,
                started_at=this_hour(),
                last_at=this_hour(),
                unit="tokens",
                seen=2,
                usual=1,
            )
        )
    async with db.transaction(elevated=True) as session:
        await session.execute(text("DELETE FROM users WHERE id = :id"), {"id": member.user_id})
        left = text("SELECT count(*) FROM usage_anomalies WHERE organization_id = :id")
        assert await session.scalar(left, {"id": admin.organization_id}) == 0


def test_one_who_asks_seldom_is_told_of_only_far_above_their_own_dearest_hours():
    hour = this_hour()
    since = hour - 8 * WEEK
    # Never at this time of the week, but a hundred times at others.
    asked = {hour - (5 + 13 * n) * HOUR: (1 + n % 10) * DOLLAR for n in range(100)}
    how = {"factor": 6, "least": 5 * DOLLAR}
    assert jump(asked | {hour: 12 * DOLLAR}, hour, since, **how) is None
    assert jump(asked | {hour: 70 * DOLLAR}, hour, since, **how) is None
    assert jump(asked | {hour: 81 * DOLLAR}, hour, since, **how), "eight times a dear hour"
    two = {hour - HOUR: 16 * DOLLAR, hour: 16 * DOLLAR}
    assert jump(asked | two, hour, since, **how), "twice in a row half as much again"
    assert jump(asked | two | {hour - HOUR: 14 * DOLLAR}, hour, since, **how) is None
    # Two strange hours are not the measure of each other, and a few of before are none.
    strange = {hour - n * 100 * HOUR: 999 * DOLLAR for n in range(1, 4)}
    assert jump(asked | strange | {hour: 90 * DOLLAR}, hour, since, **how)
    assert jump({hour: 99 * DOLLAR}, hour, hour - WEEK, **how) is None, "nobody knows yet"
