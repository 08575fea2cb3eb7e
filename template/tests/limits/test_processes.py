"""Two real processes on one database: the promise that leases must not break."""

import asyncio
import json
import sys
from secrets import token_hex
from time import monotonic

import pytest

from app.core.settings import ROOT
from app.limits import service
from app.limits.leases import Leases
from app.limits.service import Rate
from tests.limits.test_take import how_many

pytestmark = pytest.mark.dear

RATE = Rate(200, 1, burst=100)  # leases of ten
SECONDS = 3

# Takes in bursts and pauses, the pattern that would spend an old lease beside a refilled budget.
PROCESS = """
import asyncio, json, random, sys
from time import monotonic
from app.limits import connections
from app.limits.service import Rate, RateLimited, take

async def main(key, seconds):
    rate, allowed, refused = Rate(200, 1, burst=100), [], 0
    await take("warm", rate)
    print("ready", flush=True)
    sys.stdin.readline()
    end = monotonic() + seconds
    while monotonic() < end:
        for _ in range(random.randrange(400)):
            try:
                await take(key, rate)
                allowed.append(monotonic())
            except RateLimited:
                refused += 1
        await asyncio.sleep(random.uniform(0, 0.2))
    await connections.close()
    print(json.dumps([allowed, refused]))

asyncio.run(main(sys.argv[1], float(sys.argv[2])))
"""


async def test_two_processes_together_never_exceed_the_rate():
    key = token_hex()
    processes = [await _start(key) for _ in range(2)]
    for process in processes:
        assert await process.stdout.readline() == b"ready\n"
    for process in processes:
        process.stdin.write(b"go\n")

    results = [json.loads((await process.communicate())[0]) for process in processes]

    moments = sorted(moment for allowed, _ in results for moment in allowed)
    assert all(allowed for allowed, _ in results)
    assert sum(refused for _, refused in results) > 100
    # Replay with one bucket: it must never hold more than the burst (and a moment's noise).
    assert _fullest(moments, RATE) <= RATE.burst + 2
    # Nor may leases throw away much of what is allowed.
    assert len(moments) > 0.8 * RATE.count * SECONDS


async def test_a_lease_spent_late_does_not_add_to_a_refilled_budget(monkeypatch):
    rate, in_time = Rate(20, 1, burst=20, lease=10), False
    while not in_time:  # on a busy machine nine tries may take too long
        key, one, other = token_hex(), Leases(10), Leases(10)
        monkeypatch.setattr(service, "_leases", lambda one=one: one)
        began = monotonic()
        await how_many(key, rate, 1)
        # The lease, of which nine are left, is worth half a second.
        await asyncio.sleep(0.45 - (monotonic() - began))
        spent_from = monotonic()
        late = await how_many(key, rate, 9)
        in_time = monotonic() - began < 0.5
    monkeypatch.setattr(service, "_leases", lambda: other)
    fresh = await how_many(key, rate, 30)
    refilled = (monotonic() - spent_from) / rate.spacing

    assert late == 9
    assert fresh > 0  # How many depends on the machine: a lease that lies too long is lost.
    assert late + fresh <= rate.burst + refilled


async def _start(key: str) -> asyncio.subprocess.Process:
    command = sys.executable, "-c", PROCESS, key, str(SECONDS)
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)


def _fullest(moments: list[float], rate: Rate) -> float:
    level, fullest, last = 0.0, 0.0, moments[0]
    for moment in moments:
        level = max(0.0, level - (moment - last) / rate.spacing) + 1
        fullest, last = max(fullest, level), moment
    return fullest
