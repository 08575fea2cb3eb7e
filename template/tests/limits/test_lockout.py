import asyncio
from datetime import timedelta
from secrets import token_hex
from time import monotonic

import pytest
from sqlalchemy import select, update

from app.core.clock import now
from app.core.db import transaction
from app.limits import lockout
from app.limits.jobs import forget
from app.limits.lockout import LockedOut
from app.limits.models import ForgottenDevices, Lockout


@pytest.fixture
def login() -> str:
    return f"ada.{token_hex(6)}@example.com"


async def fail(login: str, times: int, device: str | None = None) -> list[float]:
    return [await lockout.failed(login, device) for _ in range(times)]


async def wait_of(login: str, device: str | None = None) -> int:
    """Seconds for which the login is locked; 0 when an attempt may begin."""
    try:
        await lockout.check(login, device)
    except LockedOut as refusal:
        return refusal.retry_after
    return 0


async def test_five_failures_are_free():
    login = token_hex()
    assert await fail(login, 5) == [0, 0, 0, 0, 0]
    assert await wait_of(login) == 0


async def test_from_the_sixth_failure_on_the_wait_doubles(login):
    waits = await fail(login, 10)
    locked = monotonic()

    assert [round(wait) for wait in waits[5:]] == [2, 4, 8, 16, 32]
    left = await wait_of(login)
    assert 31 - (monotonic() - locked) <= left <= 33


async def test_the_wait_has_an_end(login):
    waits = await fail(login, 40)

    assert 890 < waits[-1] <= 900


async def test_a_success_starts_afresh(login):
    await fail(login, 9)

    await lockout.succeeded(login)

    assert await wait_of(login) == 0


async def test_twenty_failures_at_once_count_twenty(login):
    await asyncio.gather(*(lockout.failed(login) for _ in range(20)))

    async with transaction() as db:
        row = await db.get_one(Lockout, lockout.counter(login, None))
    assert row.attempts == 20


@pytest.mark.asvs("6.3.1")
async def test_a_hundred_attempts_at_once_are_not_a_hundred_guesses(login):
    """Nobody has failed yet when they all begin; only as many pass as are free."""
    waits = await asyncio.gather(*(wait_of(login) for _ in range(100)))

    assert waits.count(0) == 6


async def test_an_attempt_that_fails_counts_once(login):
    for _ in range(5):
        await lockout.check(login)
        assert await lockout.failed(login) == 0

    await lockout.check(login)
    assert round(await lockout.failed(login)) == 2


@pytest.mark.parametrize(
    "change", [str.upper, str.title, lambda it: f"  {it} ", lambda it: it.replace("a", "ａ")]
)
async def test_another_way_to_write_the_login_is_no_fresh_start(login, change):
    await fail(login, 8)

    assert await wait_of(change(login)) > 0


async def test_strangers_do_not_lock_the_owner_out_of_a_known_device(login):
    device = lockout.new_device(login)
    await fail(login, 30)

    assert await wait_of(login) > 0
    assert await wait_of(login, device) == 0


async def test_a_stolen_device_is_locked_on_its_own(login):
    device, other = lockout.new_device(login), lockout.new_device(login)
    await fail(login, 8, device)

    assert await wait_of(login, device) > 0
    assert await wait_of(login, other) == 0
    assert await wait_of(login) == 0


async def test_a_device_is_known_for_a_year_and_what_was_forgotten_is_remembered_as_long(
    login, monkeypatch
):
    device, late = lockout.new_device(login), now() + timedelta(days=366)
    assert await lockout.known(login, device) == device
    monkeypatch.setattr(lockout, "now", lambda: late)
    assert await lockout.known(login, device) is None

    for forgotten, left in ((timedelta(days=364), True), (timedelta(days=366), False)):
        monkeypatch.setattr(lockout, "now", lambda ago=forgotten: late - timedelta(days=366) - ago)
        async with transaction(elevated=True) as db:
            await lockout.forget_devices(db, login)
        await forget()
        async with transaction() as db:
            row = await db.get(ForgottenDevices, lockout.row_id(login, "devices"))
        assert (row is not None) == left


async def test_a_success_on_a_device_does_not_clear_what_strangers_did(login):
    device = lockout.new_device(login)
    await fail(login, 8)

    await lockout.succeeded(login, device)

    assert await wait_of(login) > 0


async def test_a_success_of_one_person_does_not_clear_another(login):
    await fail(login, 8)

    await lockout.succeeded(f"x{login}")

    assert await wait_of(login) > 0


async def test_a_device_of_someone_else_counts_as_a_stranger(login):
    await fail(login, 8)

    for forged in (lockout.new_device("eve@example.com"), "made.up", "", ".", "a" * 5000):
        assert await wait_of(login, forged) > 0


async def test_logins_are_not_stored_in_the_clear(login):
    await fail(login, 1)

    async with transaction() as db:
        rows = (await db.scalars(select(Lockout))).all()
    assert rows
    assert all("example" not in str(vars(row)) for row in rows)


async def test_failures_survive_the_rollback_of_the_sign_in(login):
    async def sign_in() -> None:
        async with transaction():
            await fail(login, 8)
            raise RuntimeError("wrong password")

    with pytest.raises(RuntimeError):
        await sign_in()

    assert await wait_of(login) > 0


async def test_a_login_left_alone_for_a_day_starts_afresh(login):
    await fail(login, 8)
    await forget()
    assert await wait_of(login) > 0
    async with transaction() as db:
        row = Lockout.id == lockout.counter(login, None)
        await db.execute(update(Lockout).where(row).values(updated_at=now() - timedelta(days=2)))

    await forget()

    assert await wait_of(login) == 0
