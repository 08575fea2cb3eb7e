"""Would a cheaper model do? Every case is asked of it, and the gate says."""

from pathlib import Path

import pytest

from app.core import db
from app.evals import cases, cheaper, gauges, jobs, work
from app.llm import http
from app.modules import has
from app.prompts import registry
from tests.asking import through_the_assistant
from tests.factories import make_user, sign_in
from tests.llm.wire_server import Behaviour, running

pytestmark = through_the_assistant

NAME = "assistant.system"
SUITE = """
suite: small
title: Small
prompt: assistant.system
floor: 0.5
cases:
"""
CASE = """
  - id: case-{number}
    input: "Which city is the capital of France, in one word? ({number})"
    expect:
      contains: ["Paris"]
"""


@pytest.fixture
async def model(configure, monkeypatch, tmp_path: Path):
    """A provider whose smallest model knows nothing, and twelve cases."""
    cases_of_it = [CASE.format(number=number) for number in range(12)]
    (tmp_path / "small.yml").write_text(SUITE + "".join(cases_of_it), "utf-8")
    monkeypatch.setattr(work, "suites", lambda prompt: cases.suites(tmp_path, prompt=prompt))
    async with running() as server:
        server.choose = lambda request: Behaviour(
            words=("Rome.",) if "nano" in request.body["model"] else ("Paris.",)
        )
        configure(
            LLM_PROVIDER="compatible",
            LLM_BASE_URL=server.url,
            LLM_MODEL="gpt-5.5",
            EVALS_MODELS='["gpt-5.4-mini", "gpt-5.5-pro", "a-model-without-a-price"]',
            LLM_SMALLER_MODEL="gpt-5.4-nano",
            GUARDRAILS_REVIEW_WORDS='["Paris"]',  # Nobody waits here for a person.
        )
        yield server
    await http.close()


async def test_the_report_says_which_cheaper_model_would_pass_and_what_it_costs(
    client, operator, model, configure
):
    before = (await client.get("/api/evaluations/models")).json()
    assert [one["model"] for one in before] == ["gpt-5.4-nano", "gpt-5.4-mini", "gpt-5.5"]
    assert not any(one["would_do"] or one["share"] for one in before)

    await jobs.models(NAME)
    found = (await client.get("/api/evaluations/models")).json()
    told = {one["model"]: (one["passed"], one["counted"], one["would_do"]) for one in found}
    assert told == {
        "gpt-5.4-nano": (0, 12, False),
        "gpt-5.4-mini": (12, 12, True),
        "gpt-5.5": (12, 12, True),
    }
    # What alarms goes by the model that answers, not by one that is only looked at.
    async with db.transaction(elevated=True) as session:
        await gauges.read(session)
    assert f'app_eval_passed_share{{prompt="{NAME}"}} 1' in gauges.PASSED.lines()
    nano, mini, usual = found
    assert mini["share"]["low"] < 1.0
    assert mini["microdollars"] == 1000 * (4000 * 750_000 + 500 * 4_500_000) // 1_000_000
    assert nano["microdollars"] < mini["microdollars"] < usual["microdollars"]
    # A run of another model releases nothing.
    runs = (await client.get("/api/evaluations", params={"prompt": NAME})).json()
    assert {one["model"] for one in runs} >= set(told)
    if has("web"):
        page = (await client.get("/admin/evaluations/models")).text
        assert "Would do" in page
        assert "0 of 12 passed" in page

    # Once the budget is spent, no further model is begun; the usual one keeps its run.
    model.requests.clear()
    configure(EVALS_DOLLARS_PER_REPORT=0)
    lines = await cheaper.evaluate(NAME)
    assert len(lines) == 3
    assert model.requests == []
    assert registry.live(NAME).number


async def test_whoever_does_not_run_the_app_sees_and_starts_nothing(client, app):
    await sign_in(client, await make_user(role="admin", password=False), second_factor=True)
    assert (await client.get("/api/evaluations/models")).status_code == 403
