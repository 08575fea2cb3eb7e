"""Shadows: a candidate is asked what people asked, and nobody is shown what it says.

It happens beside the web server, so that nothing that people wrote is stored for it. It is asked as
the app itself, with no tools: budgets, ledger and audit log are those of whoever runs the app,
under a feature of its own. Two at a time, and few that wait: under load shadows are left out.
"""

import asyncio
from dataclasses import replace
from time import perf_counter
from typing import LiteralString
from uuid import UUID

from psycopg import Error as PsycopgError
from sqlalchemy.exc import SQLAlchemyError

from app.core.db import transaction
from app.core.direct import direct
from app.core.errors import Problem
from app.core.logging import log
from app.flags.switches import FeatureSwitchedOff
from app.llm import embeddings, gateway
from app.llm.errors import AnswerWithheld
from app.llm.port import Ask, Message, PromptUsed
from app.prompts.models import PromptShadowAnswer
from app.prompts.registry import Shadow
from app.prompts.statistics import cosine
from app.prompts.text import rendered
from app.users import operators

FEATURE = "prompts.shadow"
AT_ONCE = 2
MOST_WAITING = 8

SPENT: LiteralString = """
    SELECT coalesce(sum(CASE state WHEN 'reserved' THEN reserved_microdollars
                        ELSE microdollars END), 0)
    FROM usage_records WHERE organization_id = %(organization_id)s AND feature = %(feature)s
      AND created_at >= date_trunc('day', now(), 'UTC')
      AND (prompt = '' OR prompt = %(prompt)s AND prompt_version = %(version)s)
"""

_tasks: dict[UUID, asyncio.Task[None]] = {}


def begin(shadow: Shadow, call_id: UUID, ask: Ask, shown: str) -> None:
    """Ask the candidate soon, unless too many wait. A call has one shadow, however often told."""
    if len(_tasks) >= MOST_WAITING or call_id in _tasks:
        return
    task = asyncio.create_task(_run(shadow, ask, shown))
    _tasks[call_id] = task
    task.add_done_callback(lambda _: _tasks.pop(call_id, None))


async def drain() -> None:
    """Give up those that run: whoever stops the server waits for people only."""
    for task in [*_tasks.values()]:
        task.cancel()
    if _tasks:
        await asyncio.wait([*_tasks.values()])


_turns: asyncio.Semaphore | None = None


async def _run(shadow: Shadow, ask: Ask, shown: str) -> None:
    global _turns
    _turns = _turns or asyncio.Semaphore(AT_ONCE)
    async with _turns:
        try:
            await _ask(shadow, ask, shown)
        except (Problem, SQLAlchemyError, PsycopgError, OSError, TimeoutError) as error:
            log.warning("prompts.shadow_failed", error=type(error).__name__)


async def _ask(shadow: Shadow, ask: Ask, shown: str) -> None:
    organization_id = operators.known()
    if organization_id is None or ask.prompt is None:
        return
    if await _spent(shadow, organization_id, ask.prompt.name) >= shadow.microdollars_per_day:
        return
    began = perf_counter()
    outcome, text, cost = await _answer(shadow, organization_id, ask)
    near = await _near(organization_id, shown, text) if text else None
    async with transaction(elevated=True) as db:
        db.add(
            PromptShadowAnswer(
                shadow_id=shadow.id,
                outcome=outcome,
                similarity=near,
                shown_words=len(shown.split()),
                words=len(text.split()),
                microdollars=cost,
                milliseconds=round((perf_counter() - began) * 1000),
            )
        )


async def _spent(shadow: Shadow, organization_id: UUID, name: str) -> int:
    """Today, by the ledger: what a guard withheld was paid for as well."""
    values = {"prompt": name, "version": shadow.candidate.number, "feature": FEATURE}
    async with direct(organization_id=organization_id) as db:
        ((spent,),) = await db.fetch(SPENT, values | {"organization_id": organization_id})
    return int(spent)


async def _near(organization_id: UUID, shown: str, text: str) -> float | None:
    """Nothing of what people were shown stays with who pays; None when nobody can compare."""
    texts, pays = [shown, text], organization_id
    try:
        one, other = await embeddings.embed(
            texts, organization_id=pays, user_id=None, feature=FEATURE, keep=False
        )
    except Problem as problem:
        log.warning("prompts.shadow_not_compared", problem=problem.type)
        return None
    return cosine(one, other)


async def _answer(shadow: Shadow, organization_id: UUID, ask: Ask) -> tuple[str, str, int]:
    """Outcome, text and cost."""
    if ask.prompt is None or ask.messages[0].role != "system":
        return "failed", "", 0
    version = shadow.candidate
    system = rendered(version.text, version.variables, ask.prompt.values)
    # What the guards masked stays masked, and passages are among the messages already.
    own = replace(
        ask,
        messages=[Message("system", system), *ask.messages[1:]],
        feature=FEATURE,
        with_context=False,
        passages=(),
        tools=(),
        reusable=False,  # Nothing of a shadow's words stays anywhere, the cache included.
        read_by_people=False,
        prompt=PromptUsed(ask.prompt.name, version.number),
    )
    try:
        answer = await gateway.complete(operators.machine(organization_id), own)
    except AnswerWithheld:
        return "withheld", "", 0
    except FeatureSwitchedOff:
        raise  # Not asked, and no failure of the candidate.
    except Problem as problem:
        log.warning("prompts.shadow_unanswered", problem=problem.type)
        return "refused" if problem.status in {403, 413, 422} else "failed", "", 0
    return "answered", answer.text, answer.done.cost_microdollars
