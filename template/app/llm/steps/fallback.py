"""When the first provider gives no answer, the second one is asked. Who answered is told."""

from app.core.errors import Problem
from app.core.logging import log
from app.llm.call import Begin, Begun, Call
from app.llm.errors import ModelMisconfigured, ModelUnavailable, billed

# A question that was refused for what it says is not taken elsewhere.
ELSEWHERE = (ModelUnavailable, ModelMisconfigured)


async def opening(call: Call, begin: Begin) -> Begun:
    try:
        return await begin(call)
    except ELSEWHERE as problem:
        if call.second is None:
            raise
        _turn_to_second(call, problem)
    return await begin(call)


def _turn_to_second(call: Call, problem: Problem) -> None:
    first, second = call.routed, call.second
    because = problem.type.removeprefix("/problems/")
    if call.sent and billed(problem):
        call.lost.append(first)
    call.provider, call.sent, call.received_bytes = second, False, 0
    call.notes["fallback"] = {"instead_of": first.name, "because": because}
    log.warning("llm.fallback", instead_of=first.name, reason=because, call_id=str(call.id))
