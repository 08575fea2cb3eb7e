import asyncio
import random
from dataclasses import replace

import pytest
from sqlalchemy import select, text

from app.core import db
from app.core.direct import direct
from app.core.ids import uuid7
from app.usage import budgets, reports, service
from app.usage.jobs import sweep
from app.usage.models import UsageRecord
from app.usage.service import BudgetSpent, CallsSpent, TokensSpent, Used
from tests.factories import make_user
from tests.usage.conftest import Till, limit, person_of

PERIODS = ("hour", "day", "month")


async def test_what_is_reserved_counts_at_once(till):
    await till.reserve(100, 1000)

    for period in PERIODS:
        assert await till.sums(period) == (0, 0, 0, 100, 1000)
        assert await till.sums(period, everyone=True) == (0, 0, 0, 100, 1000)


async def test_settling_books_what_was_used_and_gives_the_rest_back(till):
    reservation = await till.reserve(100, 1000)
    assert await till.settle(reservation, 40, 400)

    for period in PERIODS:
        assert await till.sums(period) == (1, 40, 400, 0, 0)
        assert await till.sums(period, everyone=True) == (1, 40, 400, 0, 0)


async def test_a_call_that_used_nothing_is_released_and_not_counted(till):
    reservation = await till.reserve()
    await till.settle(reservation, 0, 0)

    assert await till.sums() == (0, 0, 0, 0, 0)


async def test_settling_twice_books_once(till):
    reservation = await till.reserve()

    assert await till.settle(reservation)
    assert not await till.settle(reservation)
    assert await till.sums() == (1, 50, 500, 0, 0)


async def test_a_reservation_that_was_lost_with_the_databases_power_is_booked_all_the_same(till):
    person = till.person
    await limit(person, cost_center="Everyone")
    await limit(person, person.user_id, cost_center="Research 42")
    lost = till.reservation(100, 1000)

    assert await till.settle(lost, 40, 400)
    assert not await till.settle(lost, 40, 400)
    assert await till.sums() == await till.sums(everyone=True) == (1, 40, 400, 0, 0)
    async with db.transaction(organization_id=person.organization_id) as session:
        assert await session.scalar(select(UsageRecord.cost_center)) == "Research 42"


async def test_a_reservation_that_was_refused_leaves_no_entry(till):
    refused = till.reservation(100, 1000)

    assert not await till.settle(refused, 0, 0)
    assert await till.finished_at(refused) is None


async def test_only_a_settlement_waits_for_the_disk(till, monkeypatch):
    waits = []

    async def watched(statement, values):
        async with direct() as transaction:
            transaction.write("SELECT set_config('synchronous_commit', 'on', true)", {})
            (row,), (wait,) = await transaction.fetch_all(
                (statement, values), ("SHOW synchronous_commit", {})
            )
            waits.extend(wait)
            return row

    monkeypatch.setattr(service, "fetch", watched)
    reservation = await till.reserve()
    await watched(service.SETTLE, service._settling(reservation, "settled", Used("m", 1), ""))

    assert waits == ["off", "on"]


async def test_more_than_was_reserved_is_booked_in_full(till):
    reservation = await till.reserve(100, 1000)
    await till.settle(reservation, 900, 9000)

    assert await till.sums() == (1, 900, 9000, 0, 0)


@pytest.mark.asvs("2.3.2")
@pytest.mark.parametrize("whose", ["person", "organization"])
@pytest.mark.parametrize(
    ("name", "tokens", "problem", "longest_wait"),
    [
        ("tokens_per_hour", 250, TokensSpent, 3600),
        ("tokens_per_day", 250, TokensSpent, 86_400),
        ("microdollars_per_month", 2500, BudgetSpent, 31 * 86_400),
        ("calls_per_hour", 3, CallsSpent, 3600),
        ("calls_per_day", 3, CallsSpent, 86_400),
    ],
)
async def test_a_budget_refuses_before_the_call(till, whose, name, tokens, problem, longest_wait):
    user_id = till.person.user_id if whose == "person" else None
    await limit(till.person, user_id, **{name: tokens})
    await till.settle(await till.reserve(100, 1000), 100, 1000)
    await till.reserve(100, 1000)
    if problem is CallsSpent:
        # What was never sent is no call.
        await till.settle(await till.reserve(1, 1), 0, 0)
        await till.reserve(1, 1)

    with pytest.raises(problem) as refusal:
        await till.reserve(100, 1000)

    assert 1 <= refusal.value.retry_after <= longest_wait + 1
    assert refusal.value.status == 429
    if problem is not CallsSpent:
        # The refused call holds nothing back from those that still fit.
        await till.reserve(50, 500)
        assert (await till.sums())[3:] == (150, 1500)


@pytest.mark.parametrize("name", budgets.LIMITS)
async def test_nothing_allowed_stops_even_what_is_free(till, name):
    await limit(till.person, **{name: 0})

    with pytest.raises((TokensSpent, CallsSpent, BudgetSpent)):
        await till.reserve(0, 0)


async def test_of_several_spent_budgets_the_longest_wait_is_told(till):
    await limit(till.person, tokens_per_hour=0, tokens_per_day=0, microdollars_per_month=0)

    with pytest.raises(BudgetSpent):
        await till.reserve()


async def test_settings_hold_where_no_budget_was_set(till, configure):
    configure(USAGE_PERSON_TOKENS_PER_HOUR=150)
    await till.reserve(100)

    with pytest.raises(TokensSpent, match="Your tokens that are left for this hour"):
        await till.reserve(100)


async def test_an_empty_setting_does_not_bind(till, configure):
    configure(
        USAGE_PERSON_TOKENS_PER_HOUR="",
        USAGE_PERSON_TOKENS_PER_DAY="",
        USAGE_ORGANIZATION_DOLLARS_PER_MONTH="",
    )
    await till.reserve(10**12, 10**12)


async def test_what_one_person_spends_the_others_lack_in_the_organisation(till):
    colleague = Till(person_of(await make_user(till.person.organization_id, password=False)))
    await limit(till.person, tokens_per_hour=150)
    await till.reserve(100)

    with pytest.raises(TokensSpent, match="Your organisation's tokens"):
        await colleague.reserve(100)


async def test_another_organisation_is_not_touched(till):
    stranger = Till(person_of(await make_user(password=False)))
    await limit(till.person, tokens_per_hour=0)

    await stranger.reserve()


@pytest.mark.asvs("2.3.4")
async def test_twenty_at_once_cannot_overspend(till):
    await limit(till.person, tokens_per_hour=1000)
    results = await asyncio.gather(*(till.reserve(100) for _ in range(20)), return_exceptions=True)

    assert sum(isinstance(one, TokensSpent) for one in results) == 10
    assert (await till.sums("hour", everyone=True))[3] == 1000


async def test_colleagues_reserving_and_settling_at_once_never_block_each_other_for_good(till):
    organization = till.person.organization_id
    tills = [Till(person_of(await make_user(organization, password=False))) for _ in range(5)]

    async def busy(one: Till) -> None:
        for _ in range(10):
            await one.settle(await one.reserve())

    async with asyncio.timeout(30):
        await asyncio.gather(*(busy(one) for one in tills))

    assert await till.sums(everyone=True) == (50, 2500, 25000, 0, 0)


async def test_the_sweep_gives_back_what_dead_processes_reserved(till):
    await till.reserve(100, 1000, seconds=-1)
    living = await till.reserve(10, 100, seconds=60)
    await sweep()

    assert await till.sums() == (0, 0, 0, 10, 100)
    assert await till.settle(living)


async def test_a_call_that_ends_after_the_sweep_is_booked_all_the_same(till):
    reservation = await till.reserve(100, 1000, seconds=-1)
    await sweep()
    assert await till.settle(reservation, 40, 400)
    await sweep()

    assert await till.sums() == (1, 40, 400, 0, 0)
    assert not await till.settle(reservation)


async def test_ledger_and_sums_agree_after_any_order_of_events(till):
    """Reserved is settled plus released, whatever happens to each call."""
    chance = random.Random(80)
    open_calls = []
    for _ in range(120):
        step = chance.random()
        if step < 0.5 or not open_calls:
            seconds = chance.choice([-1, 60])
            made = await till.reserve(
                chance.randint(1, 500), chance.randint(0, 500), seconds=seconds
            )
            open_calls.append(made)
        elif step < 0.9:
            made = open_calls.pop(chance.randrange(len(open_calls)))
            nothing = chance.random() < 0.2
            await till.settle(made, *((0, 0) if nothing else (chance.randint(1, 900), 7)))
        else:
            await sweep()
    for made in open_calls:
        await till.settle(made, 1, 1)

    async with db.transaction(organization_id=till.person.organization_id) as session:
        calls, tokens, money = (
            await session.execute(
                text(
                    "SELECT count(*) FILTER (WHERE state = 'settled'),"
                    " sum(input_tokens + output_tokens), sum(microdollars) FROM usage_records"
                )
            )
        ).one()
    assert len(till.reserved) > calls > 0
    for period in PERIODS:
        assert await till.sums(period) == (calls, tokens, money, 0, 0)
        assert await till.sums(period, everyone=True) == (calls, tokens, money, 0, 0)


async def test_the_ledger_keeps_the_prompt_and_how_long_the_first_word_took(till):
    reservation = replace(till.reservation(100, 1000), prompt="assistant", prompt_version=3)
    await service.reserve(reservation, model="m", price_known=True, seconds=60)
    assert await till.settle(reservation, first_text_ms=321)
    # Also when the reservation was lost with the database's power.
    assert await till.settle(replace(reservation, call_id=uuid7()), first_text_ms=123)

    async with db.transaction(organization_id=till.person.organization_id) as session:
        kept = (await session.scalars(select(UsageRecord).order_by(UsageRecord.created_at))).all()
    assert [(one.prompt, one.prompt_version) for one in kept] == [("assistant", 3)] * 2
    assert [one.first_text_ms for one in kept] == [321, 123]


@pytest.mark.parametrize("plan", ["nestloop", "hashjoin", "mergejoin"])
async def test_budgets_are_told_in_one_order_whatever_way_the_database_takes(till, plan):
    await till.settle(await till.reserve())
    others = {"nestloop", "hashjoin", "mergejoin"} - {plan}
    async with db.transaction(organization_id=till.person.organization_id) as session:
        for one in others:
            await session.execute(text(f"SET LOCAL enable_{one} = off"))
        found = await reports.allowances(session, till.person)
    assert [(one.holder, one.period, one.unit) for one in found] == [
        (holder, period, unit)
        for holder in ("organization", "person")
        for period, units in (
            ("hour", ("calls", "tokens")),
            ("day", ("calls", "tokens")),
            ("month", ("microdollars",)),
        )
        for unit in units
    ]
