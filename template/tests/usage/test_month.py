"""The page of a month reads the calls once, and says what the single reports say."""

from datetime import UTC, datetime

from sqlalchemy import text

from app.core import db
from app.usage import month, reports
from tests.factories import make_organization, make_user
from tests.usage.conftest import Till, person_of

SINCE, UNTIL = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
# As if each call had been made at another time, and by whom has left since then.
DIFFERS = """
    WITH one AS (SELECT id, row_number() OVER (ORDER BY id) AS n FROM usage_records)
    UPDATE usage_records r
    SET created_at = '2026-01-31T23:59:59Z'::timestamptz + (n - 1) * interval '9 hours',
        finished_at = '2026-01-31T23:59:59Z'::timestamptz + (n - 1) * interval '9 hours'
            + n * interval '700 milliseconds',
        model = CASE WHEN n % 2 = 0 THEN 'm' ELSE 'other' END,
        prompt = CASE WHEN n % 3 = 0 THEN 'assistant' ELSE '' END,
        prompt_version = CASE WHEN n % 3 = 0 THEN n % 2 + 1 END,
        user_id = CASE WHEN n % 4 = 0 THEN NULL ELSE user_id END,
        outcome = CASE WHEN n % 5 = 0 THEN 'failed' ELSE outcome END
    FROM one WHERE one.id = r.id
"""


async def test_a_month_is_what_its_calls_come_to_one_by_one(app):
    organization = await make_organization()
    people = [await make_user(organization, password=False) for _ in range(2)]
    for n in range(12):
        till = Till(person_of(people[n % 2]))
        named = {"feature": ("chat", "letters")[n % 3 > 0], "provider": ("openai", "azure")[n % 2]}
        await till.settle(await till.reserve(**named), tokens=10 + n, microdollars=2**n)
    elsewhere = Till(person_of(await make_user(password=False)))
    await elsewhere.settle(await elsewhere.reserve())

    async with db.transaction(organization_id=people[0].organization_id) as session:
        await session.execute(text(DIFFERS))
        found = await month.sums(session, SINCE, UNTIL, most=100)
        assert found.people == await reports.by_person(session, SINCE, UNTIL, most=100)
        assert found.features == await reports.by_feature(session, SINCE, UNTIL)
        assert found.prompts == await reports.by_prompt(session, SINCE, UNTIL)
        assert len(found.prompts) == 2
        assert {None} < {one.user_id for one in found.people}, "those who left have a line"
        assert found.models == [("azure", "m"), ("openai", "other")]
        dearest = await month.sums(session, SINCE, UNTIL, most=1)
        assert dearest.people == found.people[:1]

        days = await month.days(session, SINCE, UNTIL)
        assert [one.line for one in days] == await reports.by_day(session, SINCE, UNTIL)
        assert sum(one.line.calls for one in days) == 11, "the first was in January"
        alone = [one for one in days if one.line.day == SINCE]
        assert [(one.half, one.most) for one in alone] == [(1750.0, 2065.0)]
