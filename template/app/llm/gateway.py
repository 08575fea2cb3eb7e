"""The one way to a language model: every call passes the same steps, in this order."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import cache

from sqlalchemy.exc import SQLAlchemyError

from app.access.person import Person
from app.core.db import transaction
from app.core.logging import log
from app.llm.call import Call
from app.llm.errors import AnswerCut
from app.llm.life import Life, arranged
from app.llm.port import Answer, Ask, Delta, Done

# A name without a file in app/llm/steps is a step that this project does not have.
LIFE = (
    "permission",  # May this person use models?
    "validation",  # Clean, neither empty nor too long, fits the model's window.
    "input_guards",
    "prompt",  # Its version and label.
    "canary",  # Marks the system prompt, so that a leak can be told.
    "routing",  # The model that answers.
    "budget",  # Tokens and money: reserved here, settled at the end.
    # From here on, each step stands around those before it.
    "metering",  # Counts what the provider sends, and ends what never ends.
    "first_token",
    "queue",
    "breaker",
    "retries",
    "fallback",
    "cache",
    "deadline",
    "output_guards",  # Nothing is shown that they may still stop.
    "structure",
    "confidence",
    "degradation",
    # What is written down when the call has ended.
    "audit",
    "metrics",
    "sampling",
)
REQUIRED = frozenset(
    {
        "permission",
        "validation",
        "input_guards",
        "routing",
        "budget",
        "metering",
        "deadline",
        "output_guards",
        "audit",
    }
)
FINISHING_TRIES = 4
SECONDS_BETWEEN_TRIES = 0.5

_finishing: set[asyncio.Task[None]] = set()


async def answer(person: Person, ask: Ask) -> AsyncGenerator[Delta | Done, None]:
    """The answer as it comes, then one Done. Raises a Problem when there is none, or no more.

    No transaction is open while the model works. Whoever stops listening closes the generator.
    """
    call, way = Call(person, ask), life()
    try:
        for step in way.steps:
            if step.has("before"):
                await step.before(call)
        async for event in way.proceed(call):
            if isinstance(event, Delta):
                yield event
            else:
                call.finish = event
        call.outcome = "answered"
    except BaseException as error:
        call.end_with(error)
        raise
    finally:
        try:
            await call.close()
        finally:
            await _finish(call)
    yield call.done()


async def complete(person: Person, ask: Ask) -> Answer:
    """The answer in one piece, for callers that show nothing before it is whole."""
    texts: list[str] = []
    async with aclosing(answer(person, ask)) as events:
        async for event in events:
            if isinstance(event, Done):
                return Answer("".join(texts), event)
            texts.append(event.text)
    raise AnswerCut("The model's answer broke off.")


@cache
def life() -> Life:
    """The steps that this project has; raises `StepMissing` when one is lacking."""
    return arranged(LIFE, REQUIRED)


async def drain() -> None:
    """Wait until every call that has ended is settled."""
    while _finishing:
        await asyncio.wait(_finishing)


async def _run_after(call: Call) -> Exception | None:
    """One transaction for all. A step that fails keeps no other one from its work."""
    failed = None
    async with transaction(
        organization_id=call.person.organization_id, user_id=call.person.user_id
    ) as db:
        for step in life().steps:
            try:
                if step.has("after"):
                    await step.after(call, db)
            except SQLAlchemyError:
                raise
            except Exception as error:  # noqa: BLE001 what is used must be booked, whatever failed
                log.exception("llm.step_failed", step=step.name, call_id=str(call.id))
                failed = error
    return failed


async def _finish(call: Call) -> None:
    # A task of its own: whoever left has been cancelled, and what is booked must be booked.
    task = asyncio.create_task(_conclude(call))
    _finishing.add(task)
    task.add_done_callback(_finishing.discard)
    await asyncio.shield(task)


async def _conclude(call: Call) -> None:
    await call.close()  # Once more: who is cancelled may not have come to the end of it.
    for left in reversed(range(FINISHING_TRIES)):
        try:
            failed = await _run_after(call)
            if failed and call.outcome == "answered":
                raise failed
            return
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.error(
                "llm.not_settled", call_id=str(call.id), left=left, error=type(error).__name__
            )
            if not left and call.outcome == "answered":
                raise
        await asyncio.sleep(SECONDS_BETWEEN_TRIES)
