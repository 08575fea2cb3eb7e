"""A provider that keeps failing is left alone, so that nobody waits for it in vain."""

from app.llm import circuit
from app.llm.call import Begin, Begun, Call
from app.llm.errors import (
    AnswerCut,
    AnswerMalformed,
    ModelDown,
    ModelResting,
    ModelTooSlow,
    ModelUnreachable,
)

# A wrong key or a limit of ours says nothing about the provider's health.
UNWELL = (ModelDown, ModelUnreachable, ModelTooSlow, AnswerCut, AnswerMalformed)


async def opening(call: Call, begin: Begin) -> Begun:
    found = circuit.of(call.routed)
    circuit.look()
    if found.times and (found.seconds_left or not await found.may_probe()):
        raise ModelResting(
            "The model provider failed several times and is left alone for a moment.",
            retry_after=found.seconds_left,
        )
    try:
        begun = await begin(call)
    except UNWELL:
        found.failed()
        raise
    found.succeeded()
    call.leaving.append(lambda: found.failed() if isinstance(call.problem, UNWELL) else None)
    return begun
