import logging
from collections.abc import AsyncIterator
from secrets import token_hex

import pytest

from app.core.errors import Unavailable
from app.limits import connections, lockout, service
from app.limits.service import Rate, RateLimited, take
from tests.conftest import free_port
from tests.limits.test_take import SLOW, how_many

EXHAUSTED = Rate(5, SLOW, strict=True)


@pytest.fixture
async def no_database(configure) -> AsyncIterator[None]:
    """The address of the database leads nowhere."""
    await connections.close()
    configure(
        DATABASE_URL=f"postgresql://app@127.0.0.1:{free_port()}/nowhere",
        LIMITS_DATABASE_SECONDS="0.3",
    )
    logging.getLogger("psycopg.pool").setLevel("CRITICAL")
    yield
    logging.getLogger("psycopg.pool").setLevel("WARNING")
    await connections.close()
    service._outage.until = 0.0


async def test_without_the_database_a_process_still_limits(no_database):
    assert await how_many(token_hex(), EXHAUSTED, 50) == 5


async def test_without_the_database_leased_rates_hold_too(no_database):
    assert await how_many(token_hex(), Rate(100, SLOW), 300) == 100


async def test_a_refusal_in_an_outage_says_when_to_come_back(no_database):
    key, rate = token_hex(), Rate(1, 60, strict=True)
    await take(key, rate)

    with pytest.raises(RateLimited) as refusal:
        await take(key, rate)

    assert 40 <= refusal.value.retry_after <= 61


@pytest.mark.asvs("16.5.2")
async def test_the_database_is_used_again_when_it_is_back(no_database, configure, monkeypatch):
    key = token_hex()
    await take(key, EXHAUSTED)
    await connections.close()
    monkeypatch.undo()
    configure()
    service._outage.until = 0.0

    assert await how_many(key, EXHAUSTED, 10) == 5
    service._leases.cache_clear()
    assert await how_many(key, EXHAUSTED, 10) == 0


@pytest.mark.asvs("16.5.3")
async def test_without_the_database_no_sign_in_is_attempted(no_database):
    with pytest.raises(Unavailable) as refusal:
        await lockout.check("ada@example.com")

    assert "Retry-After" in refusal.value.headers
