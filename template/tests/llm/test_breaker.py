"""A provider that is ill is left alone for a while, by every process."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.core import db
from app.core.clock import now
from app.llm import circuit, errors
from app.llm.circuit import Circuit
from app.llm.jobs import forget
from app.llm.models import Rest
from app.llm.settings import LLMSettings
from app.llm.steps import routing
from tests.llm.wire_server import Behaviour


async def rested(*circuits: Circuit) -> None:
    """The time that it is left alone is over."""
    await circuit.settled()
    for one in circuits:
        one.until = 0.0
    async with db.transaction() as session:
        await session.execute(update(Rest).values(until=now()))


async def test_a_healthy_provider_costs_no_query_per_call(caller, monkeypatch):
    looks = []
    monkeypatch.setattr(circuit, "_look", lambda: looks.append(1) or asyncio.sleep(0))
    for _ in range(5):
        await caller.ask()

    assert len(looks) <= 2


async def test_other_processes_leave_it_alone_too_and_one_of_all_tries(
    caller, wire_server, configure, monkeypatch
):
    configure(LLM_RETRIES=0, LLM_BREAKER_FAILURES=2)
    wire_server.behaviour = Behaviour(status=500)
    for _ in range(2):
        await caller.refused(errors.ModelDown)
    await circuit.settled()

    # Another process: nothing of its own, and the same row.
    ours = circuit.of(routing.provider())
    theirs = Circuit(ours.key)
    monkeypatch.setitem(circuit._circuits, ours.key, theirs)
    monkeypatch.setattr(circuit, "_looked_at", 0.0)
    circuit.look()
    await circuit.settled()
    assert theirs.seconds_left > 0
    await caller.refused(errors.ModelResting)
    assert len(wire_server.requests) == 2

    await rested(theirs, ours)
    tries = [await one.may_probe() for one in (theirs, ours)]
    assert sorted(tries) == [False, True]


async def test_a_try_that_fails_doubles_the_rest_and_one_that_works_ends_it(
    caller, wire_server, configure
):
    configure(LLM_RETRIES=0, LLM_BREAKER_FAILURES=1, LLM_BREAKER_SECONDS=60)
    wire_server.behaviour = Behaviour(status=500)
    await caller.refused(errors.ModelDown)
    found = circuit.of(routing.provider())
    assert 0 < found.seconds_left <= 60
    await rested(found)
    await caller.refused(errors.ModelDown)
    assert 60 < found.seconds_left <= 120

    await rested(found)
    wire_server.behaviour = Behaviour()
    await caller.ask()
    assert found.times == 0


async def test_what_was_read_before_it_was_well_again_does_not_close_it_off_again(
    caller, wire_server, configure, monkeypatch
):
    configure(LLM_RETRIES=0, LLM_BREAKER_FAILURES=1)
    wire_server.behaviour = Behaviour(status=500)
    await caller.refused(errors.ModelDown)
    await rested(circuit.of(routing.provider()))
    fetch, held = circuit.connections.fetch, asyncio.Event()

    async def late(statement, values):
        row = await fetch(statement, values)
        if statement == circuit.LOOK:
            await held.wait()
        return row

    monkeypatch.setattr(circuit.connections, "fetch", late)
    monkeypatch.setattr(circuit, "_looked_at", 0.0)
    wire_server.behaviour = Behaviour()
    await caller.ask()
    held.set()
    await circuit.settled()

    await caller.ask()


@pytest.mark.parametrize("status", [401, 400, 429])
async def test_a_wrong_key_or_a_limit_is_no_illness(caller, wire_server, configure, status):
    configure(LLM_RETRIES=0, LLM_BREAKER_FAILURES=2)
    wire_server.behaviour = Behaviour(status=status, headers={"Retry-After": "9"})
    for _ in range(4):
        with pytest.raises(errors.Problem):
            await caller.ask()

    assert len(wire_server.requests) == 4


async def test_without_the_database_each_process_goes_by_what_it_saw(
    caller, wire_server, configure, monkeypatch
):
    async def gone(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(circuit.connections, "fetch", gone)
    found = Circuit(circuit.of(routing.provider()).key)
    for _ in range(LLMSettings.load().breaker_failures):
        found.failed()
    await circuit.settled()

    assert found.seconds_left > 0
    assert await found.may_probe()


async def test_a_provider_that_nobody_asks_any_more_is_forgotten(caller):
    async with db.transaction() as session:
        old, new = (Rest(until=now() - timedelta(hours=one), times=1) for one in (25, 1))
        session.add_all([old, new])
    await forget()
    async with db.transaction() as session:
        left = set(await session.scalars(select(Rest.id)))

    assert new.id in left
    assert old.id not in left
