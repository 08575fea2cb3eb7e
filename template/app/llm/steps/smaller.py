"""When nobody else answers, a smaller model does. It is told, and better than nothing."""

from app.llm.call import Begin, Begun, Call
from app.llm.steps.fallback import ELSEWHERE, turn_to


async def opening(call: Call, begin: Begin) -> Begun:
    try:
        return await begin(call)
    except ELSEWHERE as problem:
        if call.smaller is None:
            raise
        turn_to(call, call.smaller, problem, "smaller")
    call.second = None  # It was asked already, or cannot be.
    return await begin(call)
