"""Where ceilings are kept, who is told of them, and the command."""

import asyncio
from importlib import import_module

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from typer.testing import CliRunner

from app.core import db, migrate
from app.usage import ceilings, gauges
from app.usage.commands import commands
from app.usage.jobs import warn
from app.usage.service import BudgetSpent
from app.usage.settings import UsageSettings
from tests.factories import make_user
from tests.leftovers import take_away
from tests.subjects import about
from tests.usage.conftest import MONTH, Till, give, own_limits_above, person_of
from tests.usage.test_told import mails_to

# In the database.


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO usage_ceilings (id, organization_id) VALUES (gen_random_uuid(), :id)",
        "UPDATE usage_ceilings SET microdollars_per_month = NULL",
        "DELETE FROM usage_ceilings",
        "TRUNCATE usage_ceilings",
    ],
)
async def test_the_app_writes_no_ceiling(till, statement):
    here = till.person.organization_id
    await give(here, microdollars_per_month=0)
    values = {"id": here} if ":id" in statement else {}
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with db.transaction(organization_id=here) as session:
            await session.execute(text(statement), values)
    with pytest.raises(BudgetSpent):
        await till.reserve(0, 0)


async def test_an_organisation_sees_its_own_ceiling_and_no_other(till):
    other = Till(person_of(await make_user(password=False)))
    for one in (till, other):
        await give(one.person.organization_id, calls_per_day=5)
    query = text("SELECT organization_id FROM usage_ceilings")
    async with db.transaction(organization_id=till.person.organization_id) as session:
        assert (await session.scalars(query)).all() == [till.person.organization_id]
    async with db.transaction() as session:
        assert (await session.scalars(query)).all() == []


async def test_a_ceiling_goes_with_its_organisation(till, database):
    here = till.person.organization_id
    await give(here, calls_per_day=5)
    take_away(database, f"DELETE FROM organizations WHERE id = '{here}'")
    query = text("SELECT count(*) FROM usage_ceilings WHERE organization_id = :id")
    async with db.transaction(elevated=True) as session:
        assert await session.scalar(query, {"id": here}) == 0


async def test_the_migration_goes_back_and_forth(till, configure):
    """And back there is the version before, in which administrators may set more."""
    configure(**{MONTH: "0.0005"})
    await own_limits_above(till, microdollars_per_month=10**9)
    migration = import_module("app.usage.migrations.0004_ceilings")
    reserve = "SELECT prosrc FROM pg_proc WHERE proname = 'usage_reserve'"
    with migrate.connected() as connection, connection.begin() as transaction:
        now = connection.execute(text(reserve)).scalar_one()
        with Operations.context(MigrationContext.configure(connection)):
            migration.downgrade()
            before = connection.execute(text(reserve)).scalar_one()
            migration.upgrade()
        assert connection.execute(text(reserve)).scalar_one() == now
        transaction.rollback()
    assert "usage_ceilings" in now
    assert "usage_ceilings" not in before


# Who is told.


async def test_shares_are_of_what_binds_and_told_anew_of_another_ceiling(app, configure, database):
    take_away(database, "DELETE FROM usage_counters; DELETE FROM usage_installation")
    configure(**{MONTH: 10})
    admin = await make_user(role="admin", password=False)
    till, here = Till(person_of(admin)), admin.organization_id
    await own_limits_above(till, microdollars_per_month=10**9)
    await till.settle(await till.reserve(1, 0), 1, 5_000_000)

    async def told() -> list[str]:
        await warn()
        return [about(one.subject)[:4] for one in await mails_to(admin)]

    async def share() -> str:
        async with db.transaction() as session:
            await gauges.read(session)
        return next(iter(gauges.FULLEST.samples()))

    assert await share() == "app_budget_used_share 0.5"
    assert await told() == ["50 %"]
    await give(here, microdollars_per_month=6_000_000)
    assert await told() == ["80 %", "50 %"]
    [newest, _] = await mails_to(admin)
    assert "$5.00 of the $6.00" in newest.body
    # A ceiling that binds nothing else says nothing new.
    await give(here, microdollars_per_month=6_000_000, calls_per_day=100)
    assert await told() == ["80 %", "50 %"]
    await give(here, microdollars_per_month=5_000_000)
    assert await share() == "app_budget_used_share 1"
    assert await told() == ["100 ", "80 %", "50 %"]
    await give(here, microdollars_per_month=10_000_000)
    assert await told() == ["50 %", "100 ", "80 %", "50 %"]


# The command.


async def command(*arguments: str):
    await db.close()  # The command has a loop of its own, and what is left open has this one.
    runner = CliRunner(env={"COLUMNS": "200"})
    return await asyncio.to_thread(runner.invoke, commands, [*arguments])


async def test_by_command_one_ceiling_is_set_and_the_others_stay(till, operators, configure):
    configure(**{MONTH: 20})
    here = till.person.organization_id
    async with db.transaction(elevated=True) as session:
        slug = (await ceilings.one(session, here)).slug

    async def given() -> dict[str, int | None]:
        async with db.transaction(elevated=True) as session:
            found = await ceilings.one(session, here)
        return {name: amount for name, amount in found.given.items() if amount is not None}

    done = await command("ceiling", slug, "--dollars-per-month", "200.5", "--calls-per-day", "9")
    assert (done.exit_code, done.output) == (0, "The ceilings hold from the next call on.\n")
    assert await given() == {"microdollars_per_month": 200_500_000, "calls_per_day": 9}
    listed = (await command("ceilings", "--search", slug)).output
    assert "$200.50" in listed
    assert "calls_per_day 9" in listed
    nobody = (await command("ceilings", "--search", f"not {slug}")).output
    assert nobody == "No organisation has that in its name or slug.\n"
    assert (await command("ceiling", slug, "--dollars-per-month", "settings")).exit_code == 0
    assert await given() == {"calls_per_day": 9}
    assert (await command("ceiling", slug, "--dollars-per-month", "0")).exit_code == 0
    with pytest.raises(BudgetSpent):
        await till.reserve(0, 0)
    for wrong in (
        (slug, "--calls-per-day", "-1"),
        (slug, "--dollars-per-month", "nan"),
        (slug, "--dollars-per-month", "0.0000004"),  # it was rounded to 0, which stops every call
        (slug, "--dollars-per-month", "1e999999"),
        (slug, "--tokens-per-day", "1.5"),
        (slug,),
        ("nobody-has-this-slug", "--calls-per-day", "1"),
    ):
        assert (await command("ceiling", *wrong)).exit_code == 2, wrong
    async with db.transaction(organization_id=operators) as session:
        count = (
            "SELECT count(*) FROM audit_events WHERE action = 'usage.ceiling_set' AND target = :id"
        )
        assert await session.scalar(text(count), {"id": str(here)}) == 3


@pytest.mark.parametrize("wrong", ["0.0000004", "1e13", "-1", "inf"])
def test_a_budget_that_the_counters_cannot_hold_stops_the_start(configure, wrong):
    """A ten-millionth of a dollar was taken for none at all, and 1e13 failed every call."""
    configure(**{MONTH: wrong})
    with pytest.raises(ValidationError):
        UsageSettings.load()
