"""Some answers that were given again are asked for once more, to see whether they still hold.

It happens beside the web server, as the app itself: the budgets are those of whoever runs the app,
and nothing that people wrote is stored for it. An answer that does not hold goes.
"""

import asyncio
import re
from dataclasses import replace
from uuid import UUID

from psycopg import Error as PsycopgError
from sqlalchemy import delete, func, update
from sqlalchemy.exc import SQLAlchemyError

from app.cache.answers import Hit
from app.cache.models import CachedAnswer, CacheDay
from app.cache.settings import CacheSettings
from app.core.db import transaction
from app.core.errors import Problem
from app.core.logging import log
from app.llm import embeddings, gateway
from app.llm.call import Call
from app.llm.port import Message
from app.users import operators

FEATURE = "cache.check"
MOST_WAITING = 8
# How near two answers to one question are that say the same.
LEAST_COSINE = 0.8
NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")

_tasks: set[asyncio.Task[None]] = set()


def begin(call: Call, hit: Hit) -> None:
    """Ask once more, for some of the calls, unless too many wait."""
    share = CacheSettings.load().checked_percent
    if len(_tasks) >= MOST_WAITING or call.id.int % 10_000 >= share * 100:
        return
    task = asyncio.create_task(_run(call, hit))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def drain() -> None:
    """Give up those that run."""
    for task in [*_tasks]:
        task.cancel()
    await settled()


async def settled() -> None:
    while _tasks:
        await asyncio.wait([*_tasks])


async def _run(call: Call, hit: Hit) -> None:
    try:
        await _check(call, hit)
    except (Problem, SQLAlchemyError, PsycopgError, OSError, TimeoutError) as error:
        log.warning("cache.not_checked", error=type(error).__name__)


async def _check(call: Call, hit: Hit) -> None:
    payer = operators.known()
    if payer is None:
        return
    ask, system = call.ask, call.system_prompt
    spoken = [one for one in ask.messages if one.role != "system"]
    messages = [Message("system", system), *spoken] if system else spoken
    again = replace(
        ask,
        messages=messages,
        feature=FEATURE,
        model=call.routed.model,  # What another model says tells nothing of this answer.
        reusable=False,
        read_by_people=False,
        with_context=False,
        tools=(),
    )
    answer = await gateway.complete(operators.machine(payer), again)
    agrees = await _agree(payer, hit.text, answer.text)
    async with transaction(elevated=True) as db:
        today = func.date(func.timezone("UTC", func.now()))
        await db.execute(
            update(CacheDay)
            .where(CacheDay.organization_id == call.person.organization_id, CacheDay.day == today)
            .where(CacheDay.feature == ask.feature)
            .values(checked=CacheDay.checked + 1, agreed=CacheDay.agreed + int(agrees))
        )
        if not agrees:
            await db.execute(delete(CachedAnswer).where(CachedAnswer.id == hit.id))
            log.warning("cache.answer_no_longer_holds", what=hit.what)


async def _agree(payer: UUID, before: str, after: str) -> bool:
    """The same numbers, and near in meaning."""
    if set(NUMBER.findall(before)) != set(NUMBER.findall(after)):
        return False
    one, other = await embeddings.embed(
        [before, after], organization_id=payer, user_id=None, feature=FEATURE, keep=False
    )
    return sum(a * b for a, b in zip(one, other, strict=True)) >= LEAST_COSINE * _size(one, other)


def _size(one: list[float], other: list[float]) -> float:
    return float(sum(a * a for a in one) ** 0.5 * sum(b * b for b in other) ** 0.5)
