"""The same faults while a second request is under way, and nothing is done twice."""

from collections import defaultdict

import pytest

from app.llm.steps import hedge
from app.tools.registry import Arguments, Use
from tests.chaos.faults import BEFORE, MIDDLE
from tests.llm.wire_server import WORDS, Behaviour
from tests.tools.conftest import asks, uses

SILENT = Behaviour(silent=True)
FAULTS = [
    pytest.param(behaviour, fate, id=f"{place}: {name}")
    for place, faults in {"before": BEFORE, "middle": MIDDLE}.items()
    for name, (behaviour, fate) in faults.items()
    if "first_after" not in behaviour
]


class Name(Arguments):
    name: str


@pytest.fixture
def hedges(second, configure, monkeypatch):
    monkeypatch.setattr(hedge, "_left", defaultdict(int))
    configure(
        LLM_HEDGE_SECONDS=0.15,
        LLM_HEDGE_PERCENT=100,
        LLM_HEDGE_WITH="fallback",
        LLM_RETRIES=0,
        LLM_BREAKER_FAILURES=0,
        LLM_DEADLINE_SECONDS=4,
        LLM_FIRST_TOKEN_SECONDS=2,
        LLM_MAX_OUTPUT_TOKENS=400,
        TOOLS_OFFERED="true",
        USAGE_PERSON_TOKENS_PER_HOUR=10**9,
        USAGE_PERSON_TOKENS_PER_DAY=10**9,
        USAGE_ORGANIZATION_DOLLARS_PER_MONTH=10**6,
    )


async def test_who_answers_in_the_firsts_place_is_told(asker, model, hedges):
    model.behaviour = SILENT
    told = await asker.ask()

    assert told.text == "".join(WORDS)
    assert told.done["fallback"] is True
    assert "A second model answered" in told.done["marks"]


@pytest.mark.parametrize(("behaviour", "fate"), FAULTS)
async def test_a_fault_of_the_second_request(asker, model, second, hedges, behaviour, fate):
    model.behaviour = SILENT
    second.behaviour = Behaviour(**behaviour)
    told = await asker.ask()

    if fate == "none":
        assert told.problem["degraded"] == "no_answer"
    else:
        assert told.text
        assert bool(told.done) == (fate != "cut")


@pytest.mark.parametrize(("behaviour", "fate"), FAULTS)
async def test_a_fault_of_the_first_while_the_second_is_under_way(
    asker, model, second, hedges, behaviour, fate
):
    model.behaviour = Behaviour(**behaviour | {"first_after": 0.3})
    second.behaviour = Behaviour(first_after=1)
    told = await asker.ask()

    if fate in {"none", "answered"}:
        assert told.done


async def test_a_tool_that_both_ask_for_runs_once(asker, model, second, hedges, tool):
    did = []

    @tool(title="Order", permission="assistant.use", stakes="write")
    async def order(use: Use, arguments: Name) -> str:
        """Orders something."""
        did.append(arguments.name)
        return "Ordered."

    def plays(first_after: float):
        def choose(request):
            done = any(one["role"] == "tool" for one in request.body["messages"])
            wants = asks(("order", {"name": "Paper"}), words=("I do. ",))
            wants.first_after = first_after
            return Behaviour() if done else wants

        return choose

    # Both come at about the same time, whoever is first.
    model.choose, second.choose = plays(0.4), plays(0.25)
    for number in range(1, 4):
        told = await asker.ask()

        assert uses(told.events) == [("order", "done", "")]
        assert did == ["Paper"] * number
    assert second.requests
