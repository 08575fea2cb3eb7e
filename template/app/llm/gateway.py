"""The one way to a language model: every call passes the same steps, in this order."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import cache
from math import inf

from app.access.person import Person
from app.core import tracing
from app.llm import spans
from app.llm.call import Call
from app.llm.draft import Draft
from app.llm.errors import AnswerCut
from app.llm.life import Life, arranged
from app.llm.port import Answer, Ask, Delta, Done
from app.llm.settling import settled
from app.usage.service import Used

Booked = Callable[[Used], None]

# A name without a file in app/llm/steps is a step that this project does not have.
LIFE = (
    "permission",  # May this person use models?
    "validation",  # Clean, neither empty nor too long, fits the model's window.
    "input_guards",
    "context",  # What documents say about it, when the caller wants that.
    "taint",  # Whether others have written some of it: then only tools that read are left.
    "prompt",  # Its version and label.
    "canary",  # Marks the system prompt, so that a leak can be told.
    "routing",  # The model that answers.
    "budget",  # Tokens and money: reserved here, settled at the end.
    # From here on, each step stands around those before it.
    "metering",  # Counts what the provider sends, and ends what never ends.
    "first_token",
    "queue",
    "breaker",
    "hedge",  # Asks a second time when no first word comes, where settings want that.
    "retries",
    "fallback",
    "cache",  # An answer from before; an old one when nobody answers.
    "smaller",  # Else a smaller model.
    "deadline",
    "citations",
    "output_guards",  # Nothing is shown that they may still stop.
    "structure",  # They read an answer that is data once more, without its escapes.
    "restoring",  # Puts back what the question held and the model did not get.
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
        "taint",
        "routing",
        "budget",
        "metering",
        "deadline",
        "output_guards",
        "structure",
        "audit",
    }
)


async def answer(
    person: Person,
    ask: Ask,
    draft: Draft | None = None,
    *,
    until: float = inf,
    booked: Booked | None = None,
) -> AsyncGenerator[Delta | Done, None]:
    """The answer as it comes, then one Done. Raises a Problem when there is none, or no more.

    No transaction is open while the model works. Whoever stops listening closes the generator.
    A `draft` to which nothing is added behind this answer is kept in the transaction that settles;
    one that asks for tools is not the last. `until` is a deadline besides the settings', by the
    loop's clock. `booked` is told what it used, also when there is no answer.
    """
    call, way = Call(person, ask, draft=draft, until=until), life()
    if draft is not None:
        draft.call_id = call.id
    call.span = spans.begun(call)
    try:
        for step in way.before:
            with tracing.span(step.name, parent=call.span):
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
            await settled(call, way)
            if booked is not None and call.used is not None:
                booked(call.used)
            spans.ended(call, call.span)
    yield call.done()


async def complete(
    person: Person, ask: Ask, *, until: float = inf, booked: Booked | None = None
) -> Answer:
    """The answer in one piece, for callers that show nothing before it is whole."""
    texts: list[str] = []
    async with aclosing(answer(person, ask, until=until, booked=booked)) as events:
        async for event in events:
            if isinstance(event, Done):
                return Answer("".join(texts), event)
            texts.append(event.text)
    raise AnswerCut("The model's answer broke off.")


@cache
def life() -> Life:
    """The steps that this project has; raises `StepMissing` when one is lacking."""
    return arranged(LIFE, REQUIRED)
