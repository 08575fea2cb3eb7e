"""`make load` against the running app: it passes, and it fails when a service level breaks."""

import asyncio
import json
import os
import sys

import pytest

from app.capacity import people, planning
from app.core.settings import ROOT
from tests.asking import through_the_assistant

pytestmark = pytest.mark.dear


async def load(server, tmp_path, **settings):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "locust", "-f", "ops/load/locustfile.py", "--headless"),
        *("--only-summary", "--host", server, "--users", "4", "--spawn-rate", "4"),
        *("--run-time", "90s"),
        cwd=ROOT,
        env=os.environ
        | {
            "LOAD_SESSIONS": str(tmp_path / "people.csv"),
            "LOAD_RESULT": str(tmp_path / "result.json"),
            "LOAD_PAGES_PER_MINUTE": "60",
            "LOAD_CALLS_PER_HOUR": "3600",
            "LOAD_ANSWERS": "2",
            # The machine of tests may be slow; that is not what is tried here.
            "SLO_LATENCY_SECONDS": "30",
            "SLO_FIRST_TOKEN_SECONDS": "30",
        }
        | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    found = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    return process.returncode, found, said.decode()


@through_the_assistant
async def test_a_load_test_passes_or_fails_by_the_service_levels(live_server, tmp_path):
    made = await people.make(4)
    lines = "\n".join(",".join(one) for one in made)
    (tmp_path / "people.csv").write_text(lines, encoding="utf-8")

    code, found, said = await load(live_server, tmp_path)
    assert (code, found["passed"], found["broken"]) == (0, True, []), said
    assert found["people"] == 4
    assert found["requests"] >= 4
    assert found["seconds_per_answer"] is not None, said
    # What it writes is what the plan reads.
    measured = planning.Measured.read(found)
    assert (measured.people, measured.passed) == (4, True)
    assert measured.seconds_per_answer == found["seconds_per_answer"]

    code, found, said = await load(live_server, tmp_path, SLO_LATENCY_SECONDS="0.000001")
    assert (code, found["broken"]) == (1, ["latency"]), said
    assert "latency" in said
