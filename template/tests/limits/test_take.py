import asyncio
from itertools import cycle
from secrets import token_hex
from time import monotonic

import pytest
from sqlalchemy import select

from app.core.db import transaction
from app.limits import service
from app.limits.jobs import forget
from app.limits.leases import Leases
from app.limits.models import RateLimit
from app.limits.service import Claim, Rate, RateLimited, take

SLOW = 3600  # so slow that nothing is refilled while a test runs


async def how_many(key: str, rate: Rate, tries: int) -> int:
    """How many of so many tries at once are allowed."""

    async def one() -> bool:
        try:
            await take(key, rate)
        except RateLimited:
            return False
        return True

    return sum(await asyncio.gather(*(one() for _ in range(tries))))


async def test_a_strict_rate_allows_exactly_its_burst():
    assert await how_many(token_hex(), Rate(10, SLOW, strict=True), 30) == 10


async def test_a_leased_rate_never_allows_more_than_its_burst():
    rate = Rate(100, SLOW)

    allowed = await how_many(token_hex(), rate, 150)

    # One lease stays aside, because another process may spend its own late.
    assert allowed == 90 == rate.depth


async def test_what_another_process_took_is_gone(another_process):
    key, rate = token_hex(), Rate(20, SLOW, strict=True)
    assert await how_many(key, rate, 15) == 15

    service._leases.cache_clear()

    assert await how_many(key, rate, 15) == 5


async def test_a_lease_is_spent_without_asking_again(monkeypatch):
    key, rate, asked = token_hex(), Rate(1000, SLOW), 0

    async def counted(*given):
        nonlocal asked
        asked += 1
        return await fetch(*given)

    fetch = service.fetch
    monkeypatch.setattr(service, "fetch", counted)

    assert await how_many(key, rate, 300) == 300
    assert asked == 3


async def test_a_lease_dies_when_its_budget_is_refilled():
    key, rate = token_hex(), Rate(100, 5)  # a lease of ten is refilled in half a second
    await take(key, rate)
    lease = service._leases().of((key, rate))
    assert lease.left == 9

    await asyncio.sleep(0.6)

    assert not lease.spend(1)


async def test_a_refusal_says_when_to_come_back():
    key, rate = token_hex(), Rate(2, 60, strict=True)
    await take(key, rate, 2)

    with pytest.raises(RateLimited) as refusal:
        await take(key, rate)

    assert 20 <= refusal.value.retry_after <= 31
    assert refusal.value.headers["Retry-After"] == str(refusal.value.retry_after)
    assert f"Try again in {refusal.value.retry_after} seconds" in refusal.value.detail


async def test_the_budget_comes_back_with_time():
    key, rate = token_hex(), Rate(1, 1, burst=2, strict=True)
    began = monotonic()
    first = await how_many(key, rate, 5)
    assert 2 <= first <= 2 + (monotonic() - began)

    await asyncio.sleep(1.1)

    again = await how_many(key, rate, 5)
    assert again >= 1
    assert first + again <= 2 + (monotonic() - began)


async def test_a_flood_of_refusals_does_not_reach_the_database(monkeypatch):
    key, rate = token_hex(), Rate(1, SLOW, strict=True)
    await take(key, rate)
    assert await how_many(key, rate, 1) == 0

    async def unreachable(*_):
        raise AssertionError("the database was asked")

    monkeypatch.setattr(service, "fetch", unreachable)

    assert await how_many(key, rate, 1000) == 0


async def test_a_claim_that_no_statement_took_is_taken_once_and_refused_without_asking(monkeypatch):
    key, rate = token_hex(), Rate(2, SLOW, strict=True)
    first, second = Claim(key, rate), Claim(key, rate)
    await first.take()
    second.answered(0)
    await second.take()  # a statement took it: not once more
    await take(key, rate)
    third = Claim(key, rate)
    with pytest.raises(RateLimited):
        await third.take()

    monkeypatch.setattr(service, "fetch", None)

    with pytest.raises(RateLimited):
        Claim(key, rate)


async def test_a_refused_bulk_does_not_refuse_a_single_one():
    key, rate = token_hex(), Rate(10, SLOW, strict=True)
    await take(key, rate, 6)
    with pytest.raises(RateLimited):
        await take(key, rate, 6)

    await take(key, rate, 4)


async def test_more_than_the_rate_ever_holds_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="more than the rate"):
        await take(token_hex(), Rate(10, 60, strict=True), 11)


async def test_keys_are_not_stored_in_the_clear(auth_db):
    key = f"sign-in:{token_hex()}@example.com"
    await take(key, Rate(10, SLOW, strict=True))

    async with transaction() as db:
        rows = (await db.scalars(select(RateLimit))).all()

    assert rows
    assert all("example" not in str(vars(row)) for row in rows)


async def test_budgets_that_are_full_again_are_forgotten():
    key, short, long = token_hex(), Rate(1, 0.01, strict=True), Rate(1, SLOW, strict=True)
    await take(key, short)
    await take(key, long)
    await asyncio.sleep(0.05)

    await forget()

    async with transaction() as db:
        found = set(await db.scalars(select(RateLimit.id)))
    assert service.row_id(f"{key}\0{short}", "rate limit") not in found
    assert service.row_id(f"{key}\0{long}", "rate limit") in found


async def test_memory_is_bounded(configure, another_process):
    configure(LIMITS_REMEMBERED=10)
    rate = Rate(100, SLOW)
    first = token_hex()
    await take(first, rate)

    for _ in range(12):
        await take(token_hex(), rate)

    assert len(service._leases()) == 10
    # The forgotten lease of ten is lost: what the process takes now is a new one.
    assert await how_many(first, rate, 100) == 80


async def test_waiting_for_a_lease_takes_one_round_trip_for_all(monkeypatch):
    trips, fetch = [], service.fetch

    async def counted(*statement):
        trips.append(statement)
        return await fetch(*statement)

    monkeypatch.setattr(service, "fetch", counted)

    assert await how_many(token_hex(), Rate(50_000, SLOW), 2000) == 2000
    assert len(trips) == 1


async def take_with_a_statement(key: str, rate: Rate) -> None:
    """As the first statement of a sign-in takes what the address owes."""
    claim = Claim(token_hex(), Rate(10, SLOW, strict=True), service.owe(key, rate))
    async with claim.asking() as values:
        asked = {name: values[f"address_{name}"] for name in ("id", "spacing", "depth", "wanted")}
        answer = await service.fetch(service.TAKE, asked | {"limit_id": asked["id"], "needed": 1})
        claim.answered(None, *answer)


@pytest.mark.parametrize("ask", [take, take_with_a_statement])
async def test_what_was_not_spent_in_time_goes_back(monkeypatch, ask):
    """Else who asks two processes now and then is refused after a tenth of what is allowed."""
    key, rate, allowed = token_hex(), Rate(100, SLOW), 0

    for leases in cycle([Leases(10), Leases(10)]):
        monkeypatch.setattr(service, "_leases", lambda leases=leases: leases)
        leases.of((key, rate)).until = 0.0  # its time is over
        try:
            await ask(key, rate)
        except RateLimited:
            break
        allowed += 1

    # What one process holds the other cannot have.
    assert rate.depth - rate.lease < allowed <= rate.depth
