"""Connections whose socket the loop goes on watching: what happens when they end."""

import asyncio

import pytest
from psycopg import OperationalError

from app.core import db
from app.core.connection import Connection


@pytest.fixture
async def connection(database):
    made = await opened()
    yield made
    await made.close()


async def opened():
    url = db.app_url().replace("postgresql+psycopg://", "postgresql://")
    return await Connection.connect(url, autocommit=True)


async def one(connection, statement="SELECT 1"):
    return (await (await connection.execute(statement)).fetchone())[0]


async def test_a_closed_socket_is_watched_no_longer_so_that_a_new_one_may_get_its_number(database):
    async def answer(_, writer):
        writer.write(b"here")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    numbers = set()
    for _ in range(3):
        connection = await opened()
        assert await one(connection) == 1
        numbers.add(connection.pgconn.socket)
        await connection.close()
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            numbers.add(writer.get_extra_info("socket").fileno())
            assert await reader.read() == b"here"
        writer.close()
        await writer.wait_closed()
    assert len(numbers) < 6  # They were used again.
    server.close()


async def test_who_is_hung_up_on_between_two_statements_does_not_keep_the_loop_busy(
    connection,
):
    other = await opened()
    process = await one(other, "SELECT pg_backend_pid()")
    looked = 0
    woken = other._woken

    def counted():
        nonlocal looked
        looked += 1
        woken()

    other._unwatch()
    other._woken = counted
    assert await one(other) == 1
    looked = 0
    await one(connection, f"SELECT pg_terminate_backend({process})")
    async with asyncio.timeout(20):
        while other._watched is not None:
            await asyncio.sleep(0.01)
    assert looked == 1
    with pytest.raises(OperationalError):
        await one(other)
    assert other._watched is None
    await other.close()
    assert await one(connection) == 1


async def test_who_is_cancelled_stops_the_statement_and_its_connection_goes_on(connection):
    waiting = asyncio.create_task(one(connection, "SELECT pg_sleep(600)"))
    while connection._answer is None:
        await asyncio.sleep(0)
    waiting.cancel()
    async with asyncio.timeout(30):
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await one(connection) == 1
        # As much as does not go out at once, and comes back in many pieces.
        assert len(await one(connection, f"SELECT '{'x' * 8_000_000}'")) == 8_000_000
        async with connection.pipeline():
            cursors = [await connection.execute("SELECT %s", [n]) for n in range(300)]
        assert [(await c.fetchone())[0] for c in cursors] == [*range(300)]


def test_a_connection_may_go_on_in_another_loop(database):
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    connection = first.run_until_complete(opened())
    assert first.run_until_complete(one(connection)) == 1
    assert second.run_until_complete(one(connection)) == 1
    first.close()
    assert second.run_until_complete(one(connection)) == 1
    second.run_until_complete(connection.close())
    second.close()
