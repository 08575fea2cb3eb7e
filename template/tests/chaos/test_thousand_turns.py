"""A thousand turns over faults of two providers, tools, people who leave, and a database that ends
its connections. What happens to a turn hangs on the seed and its number alone.

    make chaos SEED=7 RUNS=20000
"""

import asyncio
import os
import re
from collections import Counter, defaultdict
from contextlib import aclosing, suppress
from dataclasses import dataclass
from random import Random
from time import monotonic

import psycopg
import pytest

from app.core import db
from app.core.errors import Problem
from app.core.problems import as_problem
from app.llm import settling
from app.llm.steps import hedge
from app.tools.registry import Arguments, Use
from tests.chaos.conftest import forget_connections
from tests.chaos.database_proxy import END_ALL
from tests.chaos.faults import ALL
from tests.chaos.invariants import (
    Told,
    all_together,
    the_books_balance,
    the_turn_is_whole,
    what_is_kept,
)
from tests.factories import make_user
from tests.llm.behaviour import Behaviour, Received
from tests.tools.conftest import asks
from tests.usage.conftest import limit, person_of

# The assistant is its team's: these are turns of the one that came along.
endpoints = pytest.importorskip("app.assistant.endpoints")
turn = getattr(endpoints, "_turn", None)
if turn is None:
    pytest.skip("The assistant answers in another way than the one that came along.", True)

SEED = int(os.environ.get("CHAOS_SEED", "1815"))
# Asked once and asked twice they are a thousand.
RUNS = int(os.environ.get("CHAOS_RUNS", "500"))
AT_ONCE = 50
# Those that take their time, take it in a thousand turns as well.
LONG = {"hangs", "slow", "is slow", "never ends", "says a megabyte of error"}
FAULTS = [(f"{place}: {name}", behaviour) for place, name, behaviour, _ in ALL if name not in LONG]
SLOW = [(f"{place}: {name}", behaviour) for place, name, behaviour, _ in ALL if name in LONG]
NUMBER = re.compile(r"number (\d+)")


class Name(Arguments):
    name: str


@dataclass
class Fate:
    """What one turn meets."""

    first: Behaviour
    second: Behaviour
    uses_tool: bool
    way: str
    patience: float
    names: str

    @classmethod
    def of(cls, number: int) -> "Fate":
        chance = Random(f"{SEED}:{number}")

        def meets(well: float) -> tuple[str, Behaviour]:
            if chance.random() < well:
                return "well", Behaviour(gap=chance.choice([0, 0, 0.005]))
            name, given = chance.choice(SLOW if chance.random() < 0.01 else FAULTS)
            return name, Behaviour(**given)

        (one, first), (other, second) = meets(0.4), meets(0.6)
        uses_tool = chance.random() < 0.15
        way = chance.choice(["read", "read", "read", "leave", "cancel"])
        names = f"{one} / {other}{' / tool' if uses_tool else ''} / {way}"
        return cls(first, second, uses_tool, way, chance.random() * 0.05, names)


def plays(which: str):
    """A provider that finds in the question which turn it is asked in."""

    def choose(request: Received) -> Behaviour:
        said = request.body["messages"]
        asked = next(one["content"] for one in reversed(said) if one["role"] == "user")
        found = NUMBER.search(asked)
        assert found
        fate = Fate.of(int(found[1]))
        if fate.uses_tool and not any(one["role"] == "tool" for one in said):
            return asks(("city", {"name": "Rom"}), words=("I look. ",))
        return fate.first if which == "first" else fate.second

    return choose


async def one_turn(person, conversation_id, number: int) -> Told | None:
    """As the endpoint has it; None for who did not stay until the end."""
    fate, told = Fate.of(number), Told()

    async def read() -> Told | None:
        question = f"Tell me about number {number}."
        try:
            async with aclosing(turn(person, conversation_id, question, None)) as events:
                async for event in events:
                    told.events.append(event)
                    if fate.way == "leave":
                        return None
        except Exception as error:  # noqa: BLE001 as the stream tells any
            problem = as_problem(error).document()
            if not told.events:
                return Told(problem=problem)
            told.events.append(("error", problem))
        return told

    running = asyncio.create_task(read())
    if fate.way != "cancel":
        return await running
    await asyncio.sleep(fate.patience)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return None


@pytest.mark.dear
@pytest.mark.parametrize("hedges", [False, True], ids=["asked once", "asked twice"])
async def test_after_a_thousand_turns_everything_is_told_kept_and_booked(
    app, model, second, tool, configure, database, monkeypatch, hedges
):
    configure(
        LLM_RETRIES=0,
        LLM_BREAKER_FAILURES=0,
        LLM_CALLS_AT_ONCE=30,
        LLM_QUEUE_LENGTH=8,
        LLM_MAX_OUTPUT_TOKENS=200,
        TOOLS_OFFERED="true",
        USAGE_PERSON_TOKENS_PER_HOUR="",
        USAGE_PERSON_TOKENS_PER_DAY="",
        USAGE_ORGANIZATION_TOKENS_PER_HOUR="",
        USAGE_ORGANIZATION_TOKENS_PER_DAY="",
        USAGE_PERSON_DOLLARS_PER_MONTH="",
        USAGE_ORGANIZATION_DOLLARS_PER_MONTH="",
        # Nor are a thousand questions held to be one who copies the model.
        ABUSE_PROMPTS_PER_PERSON=10**9,
        ABUSE_PROMPTS_PER_ORGANIZATION=10**9,
    )
    if hedges:
        # Now and then both speak at once; half go to the same model, half to the second provider.
        monkeypatch.setattr(hedge, "_left", defaultdict(int))
        configure(LLM_HEDGE_SECONDS=0.002, LLM_HEDGE_PERCENT=100)
    monkeypatch.setattr(settling, "SECONDS_BETWEEN_TRIES", 0.01)

    @tool(title="City", permission="assistant.use", stakes="read")
    async def city(use: Use, arguments: Name) -> str:
        """Tells about a city."""
        return f"{arguments.name} is a city."

    made = await make_user(password=False)
    others = [await make_user(made.organization_id, password=False) for _ in range(2)]
    people = [person_of(one) for one in (made, *others)]
    spent, held = await all_together()
    seconds = await seconds_without_faults(people)
    configure(LLM_FIRST_TOKEN_SECONDS=max(0.4, 2 * seconds), LLM_DEADLINE_SECONDS=1 + 3 * seconds)
    model.choose, second.choose = plays("first"), plays("second")
    # One of them is refused again and again: the rest of what fits must not leak away.
    await limit(people[0], people[-1].user_id, calls_per_hour=RUNS // 10)
    ended: Counter[str] = Counter()
    for start in range(0, RUNS, AT_ONCE):
        chance = Random(f"{SEED}:{start} together")
        if hedges:
            configure(LLM_HEDGE_WITH=chance.choice(["same", "fallback"]))
        places = await conversations(people)
        turns = [one_turn(*place, start + at) for at, place in enumerate(places)]
        together = asyncio.gather(*turns)
        if loses_the_database := chance.random() < 0.1:
            await asyncio.sleep(chance.random() * 0.1)
            await asyncio.to_thread(end_all_connections, database.admin)
        all_told = await together
        await settling.drain()
        if loses_the_database:
            await forget_connections()
        ended["lost"] += loses_the_database
        kept = {}
        for person in people:
            whose = {"organization_id": person.organization_id, "user_id": person.user_id}
            mine = [conversation for one, conversation in places if one is person]
            kept |= await what_is_kept(whose, mine)
        for at, ((_, conversation), told) in enumerate(zip(places, all_told, strict=True)):
            if told is None:
                ended["left"] += 1
                about = f"SEED={SEED}, turn {start + at}: {Fate.of(start + at).names}"
                assert not kept[conversation].blocks, about
                continue
            ended["done" if told.done else told.error["type"]] += 1
            try:
                the_turn_is_whole(told, kept[conversation])
            except AssertionError as error:
                names = Fate.of(start + at).names
                pytest.fail(f"{error}\nSEED={SEED}, turn {start + at}: {names}")
    try:
        counted = await the_books_balance(made.organization_id)
    except AssertionError as error:
        pytest.fail(f"{error}\nSEED={SEED}, RUNS={RUNS}")
    await forget_connections()
    assert await all_together() == (spent + counted.microdollars, held)
    assert counted.calls > RUNS / 4, ended
    assert (counted.hedges > RUNS / 20) == hedges, counted
    assert min(ended["done"], ended["left"], ended["/problems/answer-cut"]) > RUNS / 50, ended


async def seconds_without_faults(people) -> float:
    """How long turns at once take on this machine, which may have other things to do: what meets no
    fault shall not be ended for being slow."""

    async def read(person, conversation_id) -> None:
        with suppress(Problem):  # some are told to come again, as below
            async with aclosing(turn(person, conversation_id, "Who are you?", None)) as events:
                async for _ in events:
                    pass

    took = []
    for _ in range(2):  # the first one warms up
        places = await conversations(people)
        began = monotonic()
        await asyncio.gather(*(read(*place) for place in places))
        took.append(monotonic() - began)
    return took[-1]


async def conversations(people):
    """One for each turn of those at once, with whose it is."""
    found = []
    for number, person in enumerate(people):
        whose = {"organization_id": person.organization_id, "user_id": person.user_id}
        async with db.transaction(**whose) as session:
            count = len(range(number, AT_ONCE, len(people)))
            found += [
                (person, (await endpoints.service.create(session, person)).id) for _ in range(count)
            ]
    return found


def end_all_connections(admin_url: str) -> None:
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(END_ALL)
