"""Nothing goes live that has not passed, unless someone who may says why."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from app.core import db
from app.core.clock import now
from app.core.ids import uuid7
from app.evals import gate, jobs, service
from app.evals.cases import Case, Suite, suites
from app.evals.models import EvalResult
from app.evals.running import Result
from app.llm.steps import routing
from app.prompts import registry
from app.prompts.files import files
from tests.asking import through_the_assistant
from tests.factories import make_role, make_user, sign_in

pytestmark = through_the_assistant

NAME = "assistant.system"


async def write(client, words):
    base = next(one.text for one in files() if one.name == NAME)
    made = await client.post(
        f"/api/prompts/{NAME}/versions",
        json={"text": f"{base}\n\n{words} {uuid7()}", "rationale": "For a test."},
    )
    assert made.status_code == 201, made.text
    return made.json()["number"]


async def release(client, number, **more):
    return await client.put(
        f"/api/prompts/{NAME}/versions/{number}/label", json={"label": "live"} | more
    )


async def evaluated(number, *, results=(), **values):
    """A run that has come to its end, as `work.evaluate` leaves it."""
    provider = routing.provider()
    made = service.new_run(NAME, number)
    told = {
        "provider": provider.name,
        "model": provider.model,
        "state": "finished",
        "complete": True,
        "passed": True,
        "finished_at": now(),
        "suites": gate.summary(suites(prompt=NAME), []),
    }
    for key, value in (told | values).items():
        setattr(made, key, value)
    async with db.transaction(elevated=True) as session:
        session.add(made)
        await session.flush()
        for suite, case, split, state in results:
            session.add(
                EvalResult(
                    id=uuid7(),
                    run_id=made.id,
                    suite=suite,
                    case_id=case,
                    split=split,
                    tags=[],
                    state=state,
                    checks=[{"name": "contains", "holds": False, "detail": "the right words"}],
                    outcome="answered",
                    question=f"What is {case}?",
                    answer=f"It is {case}.",
                    milliseconds=1,
                )
            )
    return made


@pytest.fixture
async def before(client, operator):
    """What is live comes back at the end: other tests ask the assistant."""
    live = registry.live(NAME).number
    yield live
    assert (await release(client, live)).status_code == 200


async def test_a_release_needs_a_passed_run_of_this_very_version(client, before):
    number = await write(client, "One.")
    other = await write(client, "Two.")
    await evaluated(other)
    await evaluated(number, complete=False)
    await evaluated(number, model="another-model")
    await evaluated(number, finished_at=now() - timedelta(days=31))
    await evaluated(number, state="failed")
    refused = await release(client, number)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/gate-not-passed")
    assert "All of its suites" in refused.json()["detail"]

    told = gate.summary(suites(prompt=NAME), [])
    stricter = next(iter(told))
    await evaluated(number, suites={**told, stricter: told[stricter] | {"digest": "before"}})
    refused = await release(client, number)
    assert refused.status_code == 409
    assert refused.json()["detail"].startswith("Its cases changed since it was evaluated")

    await evaluated(number, passed=False, verdicts=["Injection: 3 of 30 passed."])
    refused = await release(client, number)
    assert (refused.status_code, refused.json()["detail"]) == (409, "Injection: 3 of 30 passed.")
    shown = (await client.get(f"/api/prompts/{NAME}/versions/{number}")).json()
    assert shown["lacking"] == ["Injection: 3 of 30 passed."]

    await evaluated(number)
    done = await release(client, number)
    assert (done.status_code, done.json()["gate"]) == (200, "passed")


async def test_a_reason_and_the_permission_go_past_the_gate_and_are_kept(
    client, new_browser, operators, operator, before
):
    number = await write(client, "Three.")
    role = await make_role(operators, ["prompts.read", "prompts.release"])
    async with new_browser() as other:
        await sign_in(other, await make_user(operators, role=role, password=False))
        refused = await release(other, number, reason="I want it.")
        assert refused.json()["type"] == "/problems/gate-not-passed"
    assert (await release(client, number)).status_code == 409
    done = await release(client, number, reason="A law changed tonight.")
    assert (done.status_code, done.json()["gate"]) == (200, "overridden")
    moves = (await client.get(f"/api/prompts/{NAME}/moves")).json()
    assert (moves[0]["gate"], moves[0]["reason"]) == ("overridden", "A law changed tonight.")
    async with db.transaction(organization_id=operators) as session:
        event = await session.execute(
            text(
                "SELECT user_id, detail FROM audit_events WHERE action = 'prompt.released'"
                " ORDER BY sequence DESC LIMIT 1"
            )
        )
        [row] = event.all()
    assert (row.user_id, row.detail["gate"]) == (operator.user_id, "overridden")


async def test_who_wrote_a_version_does_not_read_what_is_held_out(
    client, new_browser, operators, operator, before
):
    number = await write(client, "Four.")
    run = await evaluated(
        number,
        results=[("s", "open-case", "open", "failed"), ("s", "hidden-case", "held-out", "failed")],
    )
    page = (await client.get(f"/api/evaluations/{run.id}")).json()
    held = next(one for one in page["results"] if one["split"] == "held-out")
    assert {held[name] for name in ("case_id", "question", "answer", "checks", "outcome")} == {None}
    assert "hidden-case" not in (await client.get(f"/api/evaluations/{run.id}")).text
    assert "hidden-case" not in (await client.get(f"/admin/evaluations/{run.id}")).text
    assert any(one["question"] == "What is open-case?" for one in page["results"])

    later = await evaluated(
        number,
        results=[("s", "open-case", "open", "passed"), ("s", "hidden-case", "held-out", "passed")],
    )
    compared = await client.get(f"/api/evaluations/compare?before={run.id}&after={later.id}")
    assert sorted(compared.json()["better"]) == ["s, held out", "s/open-case"]
    assert compared.json()["change"]["value"] == 1.0
    assert compared.json()["change"]["low"] < 0.1  # Two cases are no proof.
    async with new_browser() as other:
        reader = await make_user(operators, role="admin", password=False)
        await sign_in(other, reader)
        page = (await other.get(f"/api/evaluations/{run.id}")).json()
        assert {one["question"] for one in page["results"]} == {
            "What is open-case?",
            "What is hidden-case?",
        }
    async with db.transaction(organization_id=operators) as session:
        events = await session.execute(
            text("SELECT user_id FROM audit_events WHERE action = 'evaluation.held_out_read'")
        )
        # Others of the installation's own organisation may have read theirs.
        who = {row.user_id for row in events}
        assert who & {operator.user_id, reader.user_id} == {reader.user_id}


async def test_evaluations_are_for_those_who_run_the_app(client, operators):
    await sign_in(client, await make_user(role="admin", password=False), second_factor=True)
    answer = await client.get("/api/evaluations")
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-operator")
    wanted = {"prompt": NAME, "version": 1}
    assert (await client.post("/api/evaluations", json=wanted)).status_code == 403


SUITE = {"suite": "sums", "title": "Sums", "prompt": NAME, "floor": 0.8}


def a_suite(count):
    cases = [{"id": f"c{n}", "input": "?", "expect": {}} for n in range(count)]
    return Suite.model_validate(SUITE | {"cases": cases})


def results(suite, states):
    return [Result("sums", one, state) for one, state in zip(suite.cases, states, strict=True)]


def test_floors_errors_and_being_worse_than_what_is_live_are_verdicts():
    suite = a_suite(100)
    good, bad = ["passed"] * 100, ["passed"] * 75 + ["failed"] * 25
    live = {("sums", one.id): "passed" for one in suite.cases}
    assert gate.verdicts([suite], results(suite, good), {}) == []
    assert gate.verdicts([suite], results(suite, good), live) == []
    [floor] = gate.verdicts([suite], results(suite, bad), {})
    assert floor == "Sums: 75 of 100 passed, 75% (66% to 82%); 80% must."
    [broken] = gate.verdicts([suite], results(suite, ["error", *good[1:]]), {})
    assert broken == "Sums: 1 case could not be asked."
    # Above the floor, and yet worse than what people have now.
    worse = ["passed"] * 88 + ["failed"] * 12
    [surely, possibly] = gate.verdicts([suite], results(suite, worse), live)
    assert "surely worse" in surely
    assert "may be left possible" in possibly
    # A single slip in a hundred is noise, and is not more than the margin.
    assert gate.verdicts([suite], results(suite, ["failed", *good[1:]]), live) == []


def test_who_passes_just_as_many_as_must_has_reached_the_floor():
    suite = a_suite(100).model_copy(update={"floor": 0.55})
    states = ["passed"] * 55 + ["failed"] * 45
    assert gate.verdicts([suite], results(suite, states), {}) == []
    [found] = gate.verdicts([suite], results(suite, ["failed", *states[1:]]), {})
    assert "54 of 100 passed" in found


def test_one_case_that_failed_makes_no_suite_surely_worse():
    suite = a_suite(1).model_copy(update={"floor": 0})
    live = {("sums", "c0"): "passed"}
    found = gate.verdicts([suite], results(suite, ["failed"]), live)
    assert [one for one in found if "surely" in one] == []
    assert "may be left possible" in " ".join(found)


def test_what_was_skipped_is_no_success():
    suite = a_suite(10)
    states = ["skipped"] * 8 + ["passed", "failed"]
    [found] = gate.verdicts([suite], results(suite, states), {})
    assert found.startswith("Sums: 1 of 2 passed")
    assert isinstance(suite.cases[0], Case)


async def test_a_run_whose_process_died_does_not_run_for_ever(seeded):
    name = await seeded("You answer.")
    made = {days: service.new_run(name, 1) for days in (1, 3)}
    async with db.transaction(elevated=True) as session:
        for days, one in made.items():
            one.state, one.created_at = "running", now() - timedelta(days=days)
            session.add(one)
    await jobs.forget_old()
    async with db.transaction(elevated=True) as session:
        states = {days: (await service.run(session, one.id)).state for days, one in made.items()}
    assert states == {1: "running", 3: "failed"}
