"""The cases that come with the project."""

import asyncio
import os
import sys
from uuid import UUID

import pytest

from app.evals import jobs
from app.evals.cases import suites
from app.evals.judge import examples
from app.prompts import registry
from tests.asking import through_the_assistant
from tests.conftest import ROOT

NAME = "assistant.system"


def test_there_are_two_hundred_cases_and_each_suite_has_some_held_out():
    found = suites()
    cases = [case for suite in found for case in suite.cases]
    assert len(cases) >= 200
    assert len({(suite.suite, case.id) for suite in found for case in suite.cases}) == len(cases)
    for suite in found:
        held_out = sum(case.split == "held-out" for case in suite.cases)
        assert 0.2 < held_out / len(suite.cases) < 0.5
    assert {one.people for one in examples()} == {"pass", "fail"}


@pytest.mark.dear
@through_the_assistant
async def test_with_the_stand_in_guards_and_passages_are_put_to_the_test(client, operator):
    """What the worker does when someone asks for it."""
    number = registry.live(NAME).number
    wanted = {"prompt": NAME, "version": number}
    started = await client.post("/api/evaluations", json=wanted)
    assert (started.status_code, started.json()["state"]) == (202, "waiting")
    run_id = UUID(started.json()["id"])
    await jobs.run(run_id)
    done = (await client.get(f"/api/evaluations/{run_id}")).json()
    # Its author has written no version, so nothing is held out.
    missed = [one for one in done["results"] if one["state"] not in {"passed", "skipped"}]
    assert missed == []
    assert done["passed"], done["verdicts"]
    assert (done["stand_in"], done["complete"]) == (True, True)
    assert sum(one["state"] == "passed" for one in done["results"]) >= 45
    skipped = {one["outcome"] for one in done["results"] if one["state"] == "skipped"}
    assert skipped == {"needs a model"}
    assert done["guards"]


@pytest.mark.dear
@pytest.mark.parametrize(("suite", "code"), [("personal-data", 0), ("no-such", 2)])
@through_the_assistant
async def test_the_command_says_by_its_exit_status_whether_it_passed(app, suite, code):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app.cli", "evals", "run", "--suite", suite),
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == code, said.decode()
    if code == 0:
        assert "says nothing of how a model answers" in " ".join(said.decode().split())
