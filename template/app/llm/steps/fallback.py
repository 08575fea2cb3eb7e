"""When the first provider gives no answer, the second one is asked. Who answered is told."""

from app.core.errors import Problem
from app.core.logging import log
from app.llm.call import Begin, Begun, Call
from app.llm.errors import ModelMisconfigured, ModelUnavailable, billed
from app.llm.port import Provider

# A question that was refused for what it says is not taken elsewhere.
ELSEWHERE = (ModelUnavailable, ModelMisconfigured)


async def opening(call: Call, begin: Begin) -> Begun:
    try:
        return await begin(call)
    except ELSEWHERE as problem:
        if call.second is None:
            raise
        turn_to(call, call.second, problem, "fallback")
    return await begin(call)


def turn_to(call: Call, other: Provider, problem: Problem, step: str) -> None:
    """Let another one answer; what the first may bill is booked."""
    first = call.routed
    because = problem.type.removeprefix("/problems/")
    if call.sent and billed(problem):
        call.lost.append(first)
    call.provider, call.sent, call.received_bytes = other, False, 0
    call.notes[step] = {"instead_of": first.name, "because": because}
    log.warning(f"llm.{step}", instead_of=first.name, reason=because, call_id=str(call.id))
