"""The arithmetic of `app capacity plan`, and what it is told by a load test."""

import json
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from app.capacity.commands import commands
from app.capacity.planning import LEAST_PROCESSES, Measured, plan

USUAL = {"calls_per_hour": 60.0, "dollars_per_call": 0.001, "budget": 50.0}


def test_twice_the_people_never_need_less():
    plans = [plan(people, **USUAL) for people in (1, 20, 200, 2_000, 20_000)]
    for less, more in pairwise(plans):
        assert more.cores > less.cores
        assert more.processes >= less.processes
        assert more.connections >= less.connections
    assert plans[0].processes == LEAST_PROCESSES
    assert plans[-1].processes > 20
    # Twice twenty people, four pages a minute; sixty questions an hour.
    assert plans[1].requests_per_second == pytest.approx(40 * 4 / 60)
    assert plans[1].answers_per_second == pytest.approx(40 / 60)
    assert plans[1].dollars_per_month == pytest.approx(20 * 60 * 84 * 0.001)


def test_what_does_not_fit_is_said():
    told = plan(2_000, **USUAL).problems
    assert "budget is $50" in told[0]
    assert "connections" in told[1]
    assert plan(2, **USUAL).problems == []


def test_what_was_measured_wins_over_what_is_usual():
    usual = plan(100, **USUAL)
    slow = plan(100, **USUAL, measured=Measured(40, 4.0, seconds_per_answer=30))
    assert slow.cores == pytest.approx(4.0 / 40 * 200)
    assert slow.processes > usual.processes
    assert slow.streams > usual.streams


@pytest.mark.parametrize(
    "told", ["{}", "[]", '{"people": 0, "cpu_seconds_per_second": 1, "passed": true}',
             '{"people": 4, "cpu_seconds_per_second": 0, "passed": true}']
)  # fmt: skip
def test_what_is_no_result_is_refused(told, tmp_path):
    path = tmp_path / "result.json"
    path.write_text(told, encoding="utf-8")
    run = CliRunner().invoke(commands, ["plan", "--result", str(path)])
    assert run.exit_code == 2, run.output


def test_a_load_test_that_reads_no_figures_still_tells_how_long_answers_take(tmp_path):
    """From a pipeline a processor is rarely seen."""
    told = {"people": 40, "cpu_seconds_per_second": None, "seconds_per_answer": 30, "passed": True}
    found = plan(100, **USUAL, measured=Measured.read(told))
    usual = plan(100, **USUAL)
    assert found.streams > usual.streams
    assert found.processes == usual.processes

    path = tmp_path / "result.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    run = CliRunner().invoke(commands, ["plan", "--result", str(path)])
    assert run.exit_code == 0, run.output
    assert "did not measure the processor (METRICS_URL)" in " ".join(run.output.split())


def test_the_command_says_what_so_many_people_need(tmp_path):
    path = tmp_path / "result.json"
    told = {"people": 40, "cpu_seconds_per_second": 0.5, "passed": False}
    path.write_text(json.dumps(told), encoding="utf-8")
    run = CliRunner().invoke(commands, ["plan", "--people", "400", "--result", str(path)])
    assert run.exit_code == 0, run.output
    assert "400 people at once" in run.output
    assert "Estimates, from your answers and the load test" in run.output
    assert "did not pass" in run.output
    assert "not measured" not in run.output
