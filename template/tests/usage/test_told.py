"""Who is told of budgets and of strange hours, and how often."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, text

from app.core import db
from app.core.clock import now
from app.jobs.queue import run_until_empty
from app.mail import links
from app.mail import service as mail
from app.usage.jobs import forget, look_for_anomalies, warn
from app.usage.models import UsageCounter
from app.usage.service import BudgetSpent
from app.usage.usual import HOUR, WEEK, usual
from tests.factories import make_organization, make_user
from tests.subjects import about
from tests.usage.conftest import Till, limit, person_of

pytestmark = pytest.mark.usefixtures("no_old_spending")


async def mails_to(someone) -> list[mail.Letter]:
    await run_until_empty()
    async with db.transaction(elevated=True) as session:
        return await mail.inbox(session, to=someone.email)


@pytest.fixture
async def team(app):
    organization = await make_organization()
    admin = await make_user(organization, role="admin", password=False)
    return organization, admin, await make_user(organization, password=False)


async def test_each_share_of_the_organisations_budget_is_told_once_to_who_sets_budgets(team):
    _, admin, member = team
    stranger = await make_user(role="admin", password=False)
    await limit(person_of(admin), microdollars_per_month=10_000_000)
    till = Till(person_of(member))

    async def spend(dollars: int) -> list[str]:
        await till.settle(await till.reserve(1, 0), 1, dollars * 1_000_000)
        await warn()
        await warn()
        return [about(one.subject)[:4] for one in await mails_to(admin)]

    assert await spend(4) == []
    assert await spend(1) == ["50 %"]
    assert await spend(1) == ["50 %"]
    assert await spend(3) == ["80 %", "50 %"]
    assert await spend(1) == ["100 ", "80 %", "50 %"]
    assert await spend(5) == ["100 ", "80 %", "50 %"]
    [last, *_] = await mails_to(admin)
    assert "$10.00 of the $10.00" in last.body
    assert "are refused until 1 " in last.body
    assert links.to("/admin/usage", api="/api/usage/organization") in last.body
    assert await mails_to(member) == await mails_to(stranger) == []


async def test_a_call_that_is_too_dear_is_told_once_and_not_as_a_budget_that_is_spent(team):
    _, admin, member = team
    await limit(person_of(admin), member.user_id, microdollars_per_month=1_000_000)
    till = Till(person_of(member))
    await till.settle(await till.reserve(1, 0), 1, 100_000)
    with pytest.raises(BudgetSpent, match="too little for this one"):
        await till.reserve(1, 950_000)
    await warn()
    await warn()
    [only] = await mails_to(member)
    assert "a call did not fit into your budget" in only.subject
    assert "$0.10 of the $1.00" in only.body
    assert "more than what is left. Smaller ones still fit" in only.body
    assert "%" not in only.subject

    # What calls under way hold is told with the next share, and a further refusal no more.
    await till.settle(await till.reserve(1, 0), 1, 750_000)
    with pytest.raises(BudgetSpent):
        await till.reserve(1, 200_000)
    await warn()
    [newest, _] = await mails_to(member)
    assert "80 % of your budget" in newest.subject
    assert "refused" not in newest.body

    await till.settle(await till.reserve(1, 100_000), 1, 150_000)
    await warn()
    await warn()
    assert [about(one.subject)[:4] for one in await mails_to(member)] == [
        "100 ",
        "80 %",
        "a ca",
    ]
    assert await mails_to(admin) == []


@pytest.mark.parametrize("holder", ["organization", "person"])
async def test_of_another_budget_is_told_anew(team, holder):
    """Whoever raised it in time hears of the end of that one, too."""
    _, admin, member = team
    whose, reader = (None, admin) if holder == "organization" else (member.user_id, member)

    async def told(dollars: int, **more: int) -> list[str]:
        month = {"microdollars_per_month": dollars * 1_000_000}
        await limit(person_of(admin), whose, **month | more)
        await warn()
        return [about(one.subject)[:4] for one in await mails_to(reader)]

    await limit(person_of(admin), whose, microdollars_per_month=1_000_000)
    till = Till(person_of(member))
    await till.settle(await till.reserve(1, 0), 1, 150_000)
    with pytest.raises(BudgetSpent):
        await till.reserve(1, 900_000)
    assert await told(1) == ["a ca"]
    assert await told(10) == ["a ca"]
    await till.settle(await till.reserve(1, 0), 1, 7_900_000)
    assert await told(10) == ["80 %", "a ca"]
    # What else is set changes nothing of what was told.
    assert await told(10, tokens_per_day=10_000) == ["80 %", "a ca"]


async def test_what_calls_under_way_hold_is_told_with_the_refusal(team):
    _, admin, member = team
    await limit(person_of(admin), member.user_id, microdollars_per_month=1_000_000)
    till = Till(person_of(member))
    await till.settle(await till.reserve(1, 0), 1, 550_000)
    await till.reserve(1, 400_000)
    with pytest.raises(BudgetSpent):
        await till.reserve(1, 100_000)
    await warn()
    [only] = await mails_to(member)
    assert "50 % of your budget" in only.subject
    assert "of which $0.40 are set aside for calls under way" in only.body


async def test_no_budget_and_a_budget_of_nothing_are_not_warned_of(team, configure):
    configure(USAGE_ORGANIZATION_DOLLARS_PER_MONTH="")
    _, admin, member = team
    till = Till(person_of(member))
    await till.settle(await till.reserve(1, 0), 1, 10**9)
    await limit(person_of(admin), member.user_id, microdollars_per_month=0)
    with pytest.raises(BudgetSpent):
        await till.reserve(1, 1)
    await warn()
    assert await mails_to(admin) == await mails_to(member) == []


def this_hour():
    return now().replace(minute=0, second=0, microsecond=0)


async def remember(organization, weeks: int) -> None:
    """Busy hours of so many weeks, each like the same hour of any other week but for a little."""
    start = this_hour() - weeks * WEEK
    rows = [
        {
            "organization_id": organization.id,
            "period": "hour",
            "starts_at": start + n * HOUR,
            "calls": 1,
            "tokens": 1000,
            # The busiest hour of the week costs seven times what the quietest does.
            "microdollars": (20_000_000 if n % 168 == 84 else 2_000_000) + n % 5 * 100_000,
            "reserved_calls": 0,
            "reserved_tokens": 0,
            "reserved_microdollars": 0,
            "refused": 0,
        }
        for n in range(weeks * 168)
    ]
    async with db.transaction(organization_id=organization.id) as session:
        await session.execute(insert(UsageCounter), rows)


async def test_an_hour_far_above_such_hours_is_told_once_while_it_goes_on(team):
    organization, admin, member = team
    await remember(organization, 6)
    till = Till(person_of(member))
    await till.settle(await till.reserve(1, 0), 1, 5_000_000)
    await look_for_anomalies()
    assert await mails_to(admin) == []

    await till.settle(await till.reserve(1, 0, feature="summary"), 1, 30_000_000)
    await look_for_anomalies()
    await look_for_anomalies()
    [told] = await mails_to(admin)
    assert "$35.00" in told.body
    assert "Usual: $2." in told.body
    assert "- summary with m: 1 calls" in told.body
    assert await mails_to(member) == []

    # An hour later it still goes on.
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "UPDATE usage_anomalies SET started_at = started_at - interval '1 hour', last_at ="
                " last_at - interval '1 hour'"
            )
        )
    await look_for_anomalies()
    assert len(await mails_to(admin)) == 1


async def test_nobody_is_told_before_it_is_known_what_is_usual(team):
    organization, admin, member = team
    await remember(organization, 2)
    till = Till(person_of(member))
    await till.settle(await till.reserve(1, 0), 1, 90_000_000)
    await look_for_anomalies()
    assert await mails_to(admin) == []


def test_usual_knows_the_hours_of_the_week_and_minds_no_strange_one():
    hour = this_hour()
    since = hour - 8 * WEEK
    places = [hour - week * WEEK + near * HOUR for week in range(1, 9) for near in (-1, 0, 1)]
    busy = dict.fromkeys(places, 900)
    found = usual(busy, hour, since)
    assert (found.median, found.spread) == (900, 90)
    # Seven strange hours of twenty-four change nothing; what happened at other times does not, too.
    strange = busy | dict.fromkeys(places[:7], 10**9) | {hour - 30 * HOUR: 10**9}
    assert usual(strange, hour, since) == found
    assert not found.is_left_by(1400, factor=6, least=0)
    assert found.is_left_by(1441, factor=6, least=0)
    assert not found.is_left_by(1441, factor=6, least=1000)
    # Hours without calls are hours that cost nothing.
    assert usual({}, hour, since).median == 0
    assert usual(busy, hour, hour - 3 * WEEK + HOUR) is None


async def test_the_sums_that_anomalies_are_found_with_are_kept_eight_weeks(team):
    organization, admin, _ = team
    rows = [(None, 50), (None, 70), (admin.user_id, 6), (admin.user_id, 8)]
    async with db.transaction(organization_id=organization.id) as session:
        for user_id, days in rows:
            await session.execute(
                text(
                    "INSERT INTO usage_counters (id, organization_id, user_id, period, starts_at,"
                    " calls, tokens, microdollars, reserved_calls, reserved_tokens,"
                    " reserved_microdollars, refused) VALUES (gen_random_uuid(), :organization,"
                    " :user_id, 'hour', :at, 1, 1, 1, 0, 0, 0, 0)"
                ),
                {
                    "organization": organization.id,
                    "user_id": user_id,
                    "at": now() - timedelta(days=days),
                },
            )
    await forget()
    async with db.transaction(organization_id=organization.id) as session:
        kept = await session.execute(text("SELECT user_id, starts_at FROM usage_counters"))
        found = {(row.user_id, (now() - row.starts_at).days) for row in kept}
    assert found == {(None, 50), (admin.user_id, 6)}
