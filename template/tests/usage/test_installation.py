"""What all organisations together may spend: no sign-up brings a fresh budget past it."""

import asyncio
import re
from decimal import Decimal
from importlib import import_module

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app.auth.settings import SignUpSettings
from app.core import db, migrate
from app.core.direct import direct
from app.core.settings import LOADED, answers
from app.modules import has
from app.usage import service
from app.usage.jobs import sweep, watch_installation
from app.usage.service import BudgetSpent, ServiceBudgetSpent, Used
from app.usage.settings import UsageSettings
from app.users import operators
from tests.asking import browser_of as browser_of
from tests.asking import model as model
from tests.asking import text_of
from tests.factories import make_organization, make_user
from tests.leftovers import take_away
from tests.llm.wire_server import WORDS, Behaviour
from tests.usage.conftest import Till, everybody, limit, person_of
from tests.usage.test_told import mails_to

SETTING = "USAGE_INSTALLATION_DOLLARS_PER_MONTH"


async def refused() -> int:
    async with db.transaction(elevated=True) as session:
        found = await session.scalar(text("SELECT sum(refused) FROM usage_installation"))
    return int(found or 0)


@pytest.fixture
def room(configure):
    """`await room(5000)` leaves so many millionths of a dollar for all."""

    async def leave(microdollars: int) -> None:
        found = await everybody()
        configure(**{SETTING: Decimal(found.spent + found.held + microdollars) / 1_000_000})

    return leave


async def another(*, apart_from: Till | None = None) -> Till:
    """Of an organisation of their own, whose sums stand in another row than those of one."""
    while True:
        till = Till(person_of(await make_user(password=False)))
        if apart_from is None or _share(till) != _share(apart_from):
            return till


def _share(till: Till) -> int:
    return till.person.organization_id.bytes[-1] % 16


# Over HTTP, from the question to the provider's socket.


async def test_what_one_organisation_spent_the_next_lacks_before_a_byte_is_sent(
    browser_of, model, room, configure
):
    first, second = await browser_of(await make_user()), await browser_of(await make_user())
    mine, theirs = await first.new(), await second.new()
    await first.ask(mine, "What is it?")
    async with db.transaction(organization_id=first.someone.organization_id) as session:
        dearest = await session.scalar(text("SELECT reserved_microdollars FROM usage_records"))
    await room(dearest + 100)
    assert text_of(await first.ask(await first.new(), "What is it?")) == "".join(WORDS)
    sent, counted = (model.connections, model.bytes_received), await refused()

    async with second.asking(theirs, "What is it?") as reader:
        answer = reader.response
        problem = (await answer.aread(), answer.json())[1]
    assert (answer.status_code, problem["type"]) == (429, "/problems/service-budget-spent")
    assert (model.connections, model.bytes_received) == sent
    assert await refused() == counted + 1
    # Whom to turn to and when it begins anew, and nothing of how much the others spent.
    assert "turn to those who run it" in problem["detail"]
    assert re.findall(r"\d+", problem["detail"]) == ["1"]
    assert "$" not in problem["detail"]
    assert 1 <= int(answer.headers["retry-after"]) <= 31 * 86_400 + 1
    # Their own budgets are untouched, and pages and figures of theirs show no others.
    used = (await second.client.get("/api/usage")).json()
    assert {one["used"] for one in used["allowances"]} == {0}

    configure(**{SETTING: ""})
    assert text_of(await second.ask(theirs, "What is it?")) == "".join(WORDS)


async def test_nothing_allowed_stops_everybody(browser_of, model, configure):
    configure(**{SETTING: 0})
    for _ in range(2):
        browser = await browser_of(await make_user())
        status, problem = await browser.refused(await browser.new(), "What is it?")
        assert (status, problem["type"]) == (429, "/problems/service-budget-spent")
    assert (model.connections, model.bytes_received) == (0, 0)


async def test_a_call_that_fails_gives_its_money_back_to_all(browser_of, model):
    browser, before = await browser_of(await make_user()), await everybody()
    model.behaviour = Behaviour(status=400)
    await browser.refused(await browser.new(), "What is it?")

    assert len(model.requests) == 1
    assert await everybody() == before


# The books.


async def test_all_spend_and_reserve_what_their_organisations_do(app):
    before = await everybody()
    one, other = await another(), await another()
    kept = await one.reserve(100, 1000)
    await one.settle(await one.reserve(100, 1000), microdollars=300)
    await other.settle(await other.reserve(100, 1000), microdollars=4000)
    await other.settle(await other.reserve(100, 1000), 0, 0)
    found = await everybody()

    assert (found.spent - before.spent, found.held - before.held) == (4300, 1000)
    # Lost with the database's power, booked all the same.
    await one.settle(one.reservation(1, 1), microdollars=7)
    await one.settle(kept, microdollars=1)
    found = await everybody()
    assert (found.spent - before.spent, found.held - before.held) == (4308, 0)


async def test_the_sweep_gives_back_to_all_and_a_late_end_is_booked(till):
    before = await everybody()
    reservation = await till.reserve(100, 1000, seconds=-1)
    await sweep()
    assert await everybody() == before

    await till.settle(reservation, microdollars=400)
    found = await everybody()
    assert (found.spent - before.spent, found.held) == (400, before.held)


async def test_what_is_gone_stays_counted_with_what_was_under_way(till, database):
    """Nobody can settle that any more, and it may have been billed."""
    before, colleague = await everybody(), await make_user(till.person.organization_id)
    their = Till(person_of(colleague))
    await their.settle(await their.reserve(), microdollars=50)
    take_away(database, f"DELETE FROM users WHERE id = '{colleague.user_id}'")
    await till.settle(await till.reserve(100, 1000), microdollars=500)
    await till.reserve(100, 2000)
    take_away(database, f"DELETE FROM organizations WHERE id = '{till.person.organization_id}'")

    found = await everybody()
    assert (found.spent - before.spent, found.held) == (2550, before.held)


async def test_no_tenant_reads_what_all_spent(till):
    await till.reserve()
    async with db.transaction(organization_id=till.person.organization_id) as session:
        with pytest.raises(ProgrammingError, match="permission denied"):
            await session.execute(text("SELECT microdollars FROM usage_installation"))


# At the edge.


async def test_of_one_organisation_exactly_what_fits_passes(till, room):
    await room(10_000)
    calls = (till.reserve(1, 1000) for _ in range(20))
    results = await asyncio.gather(*calls, return_exceptions=True)

    assert sum(isinstance(one, ServiceBudgetSpent) for one in results) == 10
    assert (await till.sums(everyone=True))[4] == 10_000


async def test_of_forty_organisations_at_once_at_most_one_call_of_each_other_row_passes(app, room):
    tills, before = [await another() for _ in range(40)], await everybody()
    await room(10_000)
    calls = (one.reserve(1, 1000) for one in tills)
    results = await asyncio.gather(*calls, return_exceptions=True)
    passed = sum(not isinstance(one, BaseException) for one in results)

    assert passed + sum(isinstance(one, ServiceBudgetSpent) for one in results) == 40
    assert 10 <= passed <= 10 + 15
    assert (await everybody()).held - before.held == passed * 1000
    with pytest.raises(ServiceBudgetSpent):
        await tills[0].reserve(1, 1)


async def test_a_settlement_that_waits_for_the_disk_holds_no_other_organisation_up(till, room):
    other = await another(apart_from=till)
    await room(10**6)
    reservation = await till.reserve()
    given = service._settling(reservation, "settled", Used("m", 1), "answered")
    async with direct() as waiting:
        await waiting.fetch(service.SETTLE, given)
        async with asyncio.timeout(5):
            await other.settle(await other.reserve())


async def test_a_budget_of_ones_own_is_told_first_and_an_extra_call_counts_for_nothing(
    till, configure
):
    configure(**{SETTING: 0})
    counted = await refused()
    with pytest.raises(ServiceBudgetSpent):
        await till.reserve(is_extra=True)
    assert await refused() == counted
    await limit(till.person, microdollars_per_month=0)
    with pytest.raises(BudgetSpent) as refusal:
        await till.reserve()
    assert type(refusal.value) is BudgetSpent
    assert await till.sums(everyone=True) == (0, 0, 0, 0, 0)


# What is set, and who is told.


async def test_where_people_make_organisations_what_was_answered_binds_all(configure, monkeypatch):
    monkeypatch.delenv(SETTING)
    answered = answers()["llm"]["monthly_budget"]
    for organization in ("own", "shared"):
        configure(SIGN_UP_ORGANIZATION=organization)
        LOADED.pop(UsageSettings, None)  # It follows a setting of another module.
        assert SignUpSettings.load().organization == organization
        many = has("organizations") or organization == "own"
        found = UsageSettings.load().installation_dollars_per_month
        assert found == (answered if many else None)


async def test_80_and_100_per_cent_are_told_once_and_anew_of_another_budget(
    app, database, configure, caplog, monkeypatch
):
    home, other = await make_organization(), await make_user(role="admin", password=False)
    monkeypatch.setattr(operators, "slug", lambda: home.slug)
    monkeypatch.setattr(operators, "_known", None)
    runs_it = await make_user(home, role="admin", password=False)
    uses_it = await make_user(home, password=False)
    take_away(database, "DELETE FROM usage_counters; DELETE FROM usage_installation")
    till = await another()

    async def told() -> list[int]:
        caplog.clear()
        for _ in range(2):
            await watch_installation()
        return [
            record.msg["percent"]
            for record in caplog.records
            if isinstance(record.msg, dict)
            and record.msg.get("event") == "usage.installation_budget_reached"
        ]

    configure(**{SETTING: 10})
    assert await told() == []
    await till.settle(await till.reserve(), microdollars=8_000_000)
    assert await told() == [80]
    [letter] = await mails_to(runs_it)
    assert "80 % of what all organisations may spend" in letter.subject
    assert "$8.00 of the $10.00" in letter.body
    await till.settle(await till.reserve(), microdollars=2_000_000)
    assert await told() == [100]
    configure(**{SETTING: 1000})
    assert await told() == []
    configure(**{SETTING: 10})
    assert await told() == [100]
    assert len(await mails_to(runs_it)) == 3
    assert await mails_to(uses_it) == await mails_to(other) == []


# While a release goes on.


async def test_what_was_spent_before_the_release_is_in_the_sum(till, database):
    await till.settle(await till.reserve(100, 1000), microdollars=300)
    await till.reserve(100, 2000)
    migration = import_module("app.usage.migrations.0003_installation")
    sums = "SELECT sum(microdollars), sum(reserved_microdollars) FROM "
    with migrate.connected() as connection, connection.begin() as transaction:
        with Operations.context(MigrationContext.configure(connection)):
            migration.downgrade()
            migration.upgrade()
        connection.execute(text("SET LOCAL ROLE app_auth"))
        kept = connection.execute(text(sums + "usage_installation")).one()
        whole = "usage_counters WHERE user_id IS NULL AND period = 'month'"
        counted = connection.execute(text(sums + whole)).one()
        transaction.rollback()

    assert kept == counted
    assert min(kept) >= 300


async def test_the_version_before_reserves_as_it_did_and_counts_for_all(till, monkeypatch):
    before = await everybody()
    old = service.RESERVE.replace(", %(installation_month)s)", ")")
    assert old != service.RESERVE
    monkeypatch.setattr(service, "RESERVE", old)
    await till.reserve(100, 1000)

    assert (await everybody()).held - before.held == 1000
