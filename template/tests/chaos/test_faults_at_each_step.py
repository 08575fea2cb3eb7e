"""Each fault of a provider, at each step of a turn: told, kept, booked, marked, and nothing shown
that must not be."""

import pytest

from app.tools.registry import Arguments, Use
from tests.chaos.faults import ALL, BEFORE, MIDDLE
from tests.llm.wire_server import WORDS, Behaviour
from tests.tools.conftest import asks, uses

ADDRESSES = {
    "refuses connections": "http://127.0.0.1:9/v1",
    "has no address": "http://model.invalid/v1",
}
NAMED = [pytest.param(*given, id=f"{place}: {name}") for place, name, *given in ALL]


ENDLESS = {"silent", "first_after", "hang_after", "end_after"}


@pytest.fixture
def patience(configure):
    """As long as a loaded machine needs; short where nothing but its end is waited for."""

    def set_patience(behaviour):
        endless = bool(ENDLESS & behaviour.keys()) or behaviour.get("gap", 0) > 0.05
        says_nothing = "silent" in behaviour or "first_after" in behaviour
        configure(
            LLM_DEADLINE_SECONDS=3 if endless else 60,
            LLM_FIRST_TOKEN_SECONDS=0.4 if says_nothing else 60,
            LLM_RETRIES=0,
            LLM_BREAKER_FAILURES=0,
            LLM_MAX_OUTPUT_TOKENS=400,
            # What never ends is booked as far as it was read.
            USAGE_PERSON_TOKENS_PER_HOUR=10**9,
            USAGE_PERSON_TOKENS_PER_DAY=10**9,
            USAGE_ORGANIZATION_DOLLARS_PER_MONTH=10**6,
        )

    set_patience({})
    return set_patience


class Name(Arguments):
    name: str


@pytest.fixture
def city(tool):
    """A tool, as the list of what it was asked for."""
    asked = []

    @tool(title="City", permission="assistant.use", stakes="read")
    async def city(use: Use, arguments: Name) -> str:
        """Tells about a city."""
        asked.append(arguments.name)
        return f"{arguments.name} is a city."

    return asked


def became(told) -> str:
    if told.problem or (told.error and not told.text):
        return "none"
    if any(name == "replace" for name, _ in told.events):
        return "withheld"
    return "answered" if told.done else "cut"


@pytest.mark.parametrize(("behaviour", "fate"), NAMED)
async def test_a_fault_of_the_only_provider(asker, model, patience, behaviour, fate):
    patience(behaviour)
    model.behaviour = Behaviour(**behaviour)
    told = await asker.ask()

    assert became(told) == fate
    if fate == "none":
        assert told.problem["status"] == 503
        assert told.problem["degraded"] == "no_answer"
        assert told.problem["what_to_do"]
    if fate == "cut":
        assert told.error["status"] == 503
    patience({})
    model.behaviour = Behaviour()
    assert (await asker.ask()).text == "".join(WORDS), "the next one is answered"


@pytest.mark.parametrize("where", ADDRESSES)
async def test_nobody_at_the_address(asker, patience, configure, where):
    configure(LLM_BASE_URL=ADDRESSES[where])
    told = await asker.ask()

    assert told.problem["type"] == "/problems/model-unreachable"
    assert told.problem["degraded"] == "no_answer"


@pytest.mark.parametrize("fault", BEFORE)
async def test_a_fault_before_the_second_provider_answers(
    asker, model, second, patience, configure, fault
):
    patience(BEFORE[fault][0])
    # The first's silence ends it; the second has all the time.
    configure(LLM_DEADLINE_SECONDS=60, LLM_FIRST_TOKEN_SECONDS=2)
    model.behaviour = Behaviour(**BEFORE[fault][0])
    told = await asker.ask()

    assert told.text == "".join(WORDS)
    assert told.done["fallback"] is True


@pytest.mark.parametrize(("behaviour", "fate"), NAMED)
async def test_a_fault_of_the_second_provider(asker, model, second, patience, behaviour, fate):
    patience(behaviour)
    model.behaviour = Behaviour(status=500)
    second.behaviour = Behaviour(**behaviour)
    told = await asker.ask()

    assert became(told) == fate
    assert len(second.requests) == 1


@pytest.mark.parametrize("where", ["before", "middle"])
async def test_a_fault_in_a_round_of_tools(asker, plays, city, patience, configure, where):
    for name, (behaviour, fate) in (BEFORE if where == "before" else MIDDLE).items():
        patience(behaviour)
        configure(LLM_FIRST_TOKEN_SECONDS=2)  # The first round has words in time.
        plays(asks(("city", {"name": "Rom"}), words=("I look. ",)), Behaviour(**behaviour))
        told = await asker.ask()

        expected = "cut" if fate == "none" else fate
        assert became(told) == expected, name
        assert uses(told.events) == [("city", "done", "")], name


@pytest.mark.parametrize("wrong", ['{"name": ', "[1]", '{"name": 7}', '{"other": "x"}'])
async def test_wrong_arguments_are_told_to_the_model_and_the_turn_goes_on(
    asker, plays, city, patience, wrong
):
    plays(asks(("city", wrong)), Behaviour())
    told = await asker.ask()

    assert told.text == "".join(WORDS)
    assert uses(told.events) == [("city", "invalid", "arguments")]
    assert city == []
