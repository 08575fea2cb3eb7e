"""Short transactions on the driver: together or not at all, and for one organisation only."""

import asyncio
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text

from app.core import db
from app.core.direct import Direct, direct, write
from app.core.ids import uuid7
from tests.factories import make_organization

ADD = (
    "INSERT INTO usage_limits (id, organization_id, tokens_per_hour)"
    " VALUES (%(id)s, %(organization_id)s, %(tokens)s)"
)
COUNT = "SELECT count(*), max(tokens_per_hour) FROM usage_limits"
SLEEP = "SELECT pg_sleep(30)"


def limit(organization_id: UUID, tokens: int = 1) -> dict[str, object]:
    return {"id": uuid7(), "organization_id": organization_id, "tokens": tokens}


async def limits(organization_id: UUID) -> int:
    async with db.transaction(organization_id=organization_id) as session:
        return int(await session.scalar(text("SELECT count(*) FROM usage_limits")))


@pytest.fixture
async def own() -> UUID:
    return (await make_organization()).id


async def test_what_is_written_is_there_after_the_commit_and_not_before(own):
    async with direct(organization_id=own) as transaction:
        transaction.write(ADD, limit(own, 7))
        assert await transaction.fetch(COUNT, {}) == [(1, 7)]
        assert await limits(own) == 0
    assert await limits(own) == 1


async def test_statements_that_go_together_keep_their_order(own):
    async with direct(organization_id=own) as transaction:
        before, after = await transaction.fetch_all((COUNT, {}), (COUNT, {}))
        transaction.write(ADD, limit(own))
        assert before == after == [(0, None)]
        assert await transaction.fetch(COUNT, {}) == [(1, 1)]


async def test_functions_that_are_called_together_run_in_their_order_with_their_own_values(own):
    before = "coalesce(current_setting('app.test', true), '')"
    note = f"SELECT set_config('app.test', {before} || %(value)s, true)"
    add = ADD.replace("%(tokens)s", "current_setting('app.test')::int")
    async with direct(organization_id=own) as transaction:
        for digit in "123":
            transaction.write(note, {"value": digit})
        transaction.write(add, limit(own))
        assert await transaction.fetch(COUNT, {}) == [(1, 123)]
    async with direct(organization_id=own) as transaction:
        transaction.write("DELETE FROM usage_limits", {})
        for digit in "45":
            transaction.write(note, {"value": digit})
        transaction.write_last(note, {"value": "6"})
        transaction.write_last(add, limit(own))
    async with direct(organization_id=own) as transaction:
        assert await transaction.fetch(COUNT, {}) == [(1, 456)]


@pytest.mark.parametrize("reads_first", [True, False])
async def test_one_statement_that_fails_takes_all_others_with_it(own, reads_first):
    async def twice() -> None:
        async with direct(organization_id=own) as transaction:
            if reads_first:
                await transaction.fetch(COUNT, {})
            transaction.write(ADD, limit(own))
            transaction.write_last(ADD, limit(own))

    with pytest.raises(psycopg.errors.UniqueViolation) as failure:
        await twice()
    assert str(own) not in str(failure.value)  # What was to be stored is not for the log.
    assert await limits(own) == 0
    # The connection it happened on goes on working.
    for _ in range(12):
        async with direct(organization_id=own) as transaction:
            assert await transaction.fetch(COUNT, {}) == [(0, None)]


async def test_an_error_of_the_callers_rolls_back(own):
    async def fails() -> None:
        async with direct(organization_id=own) as transaction:
            transaction.write(ADD, limit(own))
            await transaction.fetch(COUNT, {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    assert await limits(own) == 0


async def test_rows_of_others_are_neither_seen_nor_written(own):
    other = (await make_organization()).id
    async with direct(organization_id=other) as transaction:
        transaction.write(ADD, limit(other))
    async with direct(organization_id=own) as transaction:
        assert await transaction.fetch(COUNT, {}) == [(0, None)]

    async def for_others() -> None:
        async with direct(organization_id=own) as transaction:
            transaction.write(ADD, limit(other))

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await for_others()
    async with direct() as transaction:
        assert await transaction.fetch(COUNT, {}) == [(0, None)]


async def test_the_organisation_does_not_stay_on_the_connection(own):
    async with direct(organization_id=own) as transaction:
        transaction.write(ADD, limit(own))
    for _ in range(12):
        async with db.transaction() as session:
            assert await session.scalar(text("SELECT count(*) FROM usage_limits")) == 0


async def test_who_is_cancelled_while_the_database_works_leaves_nothing_behind(own):
    async def slow() -> None:
        async with direct(organization_id=own) as transaction:
            transaction.write(ADD, limit(own))
            await transaction.fetch(SLEEP, {})

    task = asyncio.create_task(slow())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(30):
            await task
    assert await limits(own) == 0
    assert await _sleeping() == 0
    for _ in range(12):
        async with direct(organization_id=own) as transaction:
            assert await transaction.fetch(COUNT, {}) == [(0, None)]


async def test_who_is_cancelled_while_all_is_written_leaves_nothing_behind(own):
    call = "SELECT set_config('app.test', pg_sleep(30)::text, true)"

    async def slow() -> None:
        async with direct(organization_id=own) as transaction:
            transaction.write(call, {})

    task = asyncio.create_task(slow())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(20):
            await task
    # No connection of the pool commits by itself from now on.
    for _ in range(12):
        async with db.new_session()() as session:
            await db.set_context(session, organization_id=own)
            await session.execute(text(ADD.replace("%(", ":").replace(")s", "")), limit(own))
            await session.rollback()
    assert await limits(own) == 0


async def _sleeping() -> int:
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE query = :query AND state = 'active'"
        " AND datname = current_database()"  # Others test beside us, on the same server.
    )
    async with db.transaction() as session:
        return int(await session.scalar(query, {"query": SLEEP}))


async def test_a_writer_works_in_either_kind_of_transaction(own):
    async with direct(organization_id=own) as one:
        await write(one, ADD, limit(own))
        assert isinstance(one, Direct)
    other = (await make_organization()).id
    async with db.transaction(organization_id=other) as session:
        await write(session, ADD, limit(other))
    assert await limits(own) == await limits(other) == 1
