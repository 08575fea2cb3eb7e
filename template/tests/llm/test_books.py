"""The books balance: what was reserved is settled or released, whatever became of the calls."""

import asyncio
import random
from contextlib import aclosing, suppress

import pytest
from sqlalchemy import text

from app.core import db
from app.core.errors import Problem
from app.llm import gateway, settling
from app.llm.port import Ask, Message
from app.usage.jobs import sweep
from tests.factories import make_user
from tests.llm.wire_server import WORDS, Behaviour
from tests.usage.conftest import limit, person_of

RUNS, AT_ONCE = 1000, 25
FATES = [
    {},
    {"words": WORDS * 8},
    {"usage": None},
    {"usage": (10**9, 10**9)},
    {"status": 500},
    {"status": 429, "headers": {"Retry-After": "1"}},
    {"status": 400},
    {"cut_after": 3},
    {"garbage_after": 4},
    {"error_after": 2},
    {"finish": None, "done": False},
    {"first_after": 0.05},
    {"gap": 0.01},
]
COUNTED = """
    SELECT count(*) FILTER (WHERE state = 'settled'), count(*) FILTER (WHERE state = 'released'),
           count(*), sum(input_tokens + output_tokens), sum(microdollars)
    FROM usage_records
"""
SUMS = """
    SELECT user_id IS NULL, period, sum(calls), sum(tokens), sum(microdollars),
           sum(reserved_calls), sum(reserved_tokens), sum(reserved_microdollars)
    FROM usage_counters GROUP BY 1, 2
"""


async def one_run(person, chance: random.Random) -> str:
    """Ask, and read to the end, leave after some pieces, or be cancelled in the middle."""
    way = chance.choice(["read", "read", "leave", "cancel"])
    patience = chance.random() * 0.05

    async def ask() -> None:
        words = [Message("user", f"Say ten words about the number {chance.random()}.")]
        async with aclosing(gateway.answer(person, Ask(words, feature="test"))) as events:
            async for _ in events:
                if way == "leave":
                    return

    running = asyncio.create_task(ask())
    if way == "cancel":
        await asyncio.sleep(patience)
        running.cancel()
    with suppress(Problem, asyncio.CancelledError):
        await running
    return way


@pytest.mark.dear
async def test_after_a_thousand_runs_what_was_reserved_is_settled_or_released(
    caller, wire_server, configure
):
    configure(
        LLM_RETRIES=0,
        LLM_BREAKER_FAILURES=0,
        LLM_FIRST_TOKEN_SECONDS=0.04,
        USAGE_PERSON_TOKENS_PER_HOUR="",
        USAGE_PERSON_TOKENS_PER_DAY="",
        # Nor are a thousand questions held to be one who copies the model.
        ABUSE_PROMPTS_PER_PERSON=10**6,
        ABUSE_PROMPTS_PER_ORGANIZATION=10**6,
    )
    chance = random.Random(1815)
    wire_server.choose = lambda _: Behaviour(**chance.choice(FATES))
    organization = caller.person.organization_id
    people = [
        caller.person,
        *[person_of(await make_user(organization, password=False)) for _ in range(2)],
    ]
    # One of them is refused again and again: the rest of what fits must not leak away.
    await limit(caller.person, people[-1].user_id, calls_per_hour=40)
    for _ in range(RUNS // AT_ONCE):
        ways = [one_run(chance.choice(people), chance) for _ in range(AT_ONCE)]
        await asyncio.gather(*ways)
        if chance.random() < 0.2:
            await sweep()
    await settling.drain()

    async with db.transaction(organization_id=organization) as session:
        settled, released, all_of_them, tokens, money = (await session.execute(text(COUNTED))).one()
        sums = (await session.execute(text(SUMS))).all()
    assert settled > RUNS / 4
    assert released > RUNS / 20
    assert settled + released == all_of_them <= RUNS
    for _, _, *numbers in sums:
        assert numbers == [settled, tokens, money, 0, 0, 0]
    assert len(sums) == 6
