"""What a release in a cloud's containers reads: what was counted, as lines of the log."""

import asyncio
import logging

import pytest

from app.telemetry.figures import figures_told
from tests.llm.conftest import caller as caller
from tests.llm.conftest import wire_server as wire_server
from tests.llm.wire_server import Behaviour


def told(caplog):
    """The sum of all lines, by name; and how many there are."""
    lines = [one.msg for one in caplog.records if isinstance(one.msg, dict)]
    lines = [one for one in lines if one["event"] == "metrics.figures"]
    names = ("requests", "failed", "timed", "slow", "answered", "unanswered", "dollars")
    return {name: sum(one[name] for one in lines) for name in names}, len(lines)


async def test_a_line_tells_what_was_counted_since_the_one_before(
    client, caller, wire_server, configure, caplog
):
    caplog.set_level(logging.INFO, logger="app")
    await client.get("/api/me")
    configure(METRICS_LOG_SECONDS=3600)
    async with figures_told():
        await client.get("/api/me")
        await caller.ask("What is it?", feature="figures")
        wire_server.behaviour = Behaviour(status=400)
        with pytest.raises(Exception):  # noqa: B017, PT011 whichever problem it is
            await caller.ask("What is it?", feature="figures")
    found, lines = told(caplog)
    assert lines == 1, "what is left at the end"
    assert found["requests"] == 1, "not what was before"
    assert found["answered"] == found["unanswered"] == 1
    assert found["timed"] >= 2
    assert found["dollars"] > 0
    assert found["failed"] == 0


async def test_lines_come_while_it_runs_and_count_nothing_twice(client, configure, caplog):
    caplog.set_level(logging.INFO, logger="app")
    configure(METRICS_LOG_SECONDS=0.01)
    async with figures_told():
        await client.get("/api/me")
        async with asyncio.timeout(60):
            while told(caplog)[1] < 3:
                await asyncio.sleep(0.01)
    assert told(caplog)[0]["requests"] == 1


async def test_nothing_is_told_unless_it_is_asked_for(client, configure, caplog):
    caplog.set_level(logging.INFO, logger="app")
    configure(METRICS_LOG_SECONDS=0)
    async with figures_told():
        await client.get("/api/me")
    assert told(caplog)[1] == 0
