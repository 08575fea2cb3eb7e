"""What a provider refused for a passing reason is asked again, as long as there is time.

Only before the first word, and only what it has not billed.
"""

import asyncio
import random
from collections import defaultdict

from app.llm import circuit
from app.llm.call import Begin, Begun, Call
from app.llm.errors import ModelDown, ModelThrottled, ModelUnavailable, ModelUnreachable
from app.llm.settings import LLMSettings

PASSING = (ModelDown, ModelUnreachable, ModelThrottled)
FIRST_PAUSE = 0.25
# With a second provider there, nobody waits long for the first.
LONGEST_BEFORE_FALLBACK = 1.0
# Time that an answer needs; a retry that leaves less is of no use.
LEAST_SECONDS = 1.0
# Of all calls a tenth may be asked again, and ten at once: who is overloaded is not asked thrice.
SHARE, MOST = 0.1, 10.0

_left: defaultdict[circuit.Circuit, float] = defaultdict(lambda: MOST)


async def opening(call: Call, begin: Begin) -> Begun:
    found, tries = circuit.of(call.routed), 0
    _left[found] = min(MOST, _left[found] + SHARE)
    while True:
        try:
            return await begin(call)
        except PASSING as problem:
            pause = _pause(call, problem, tries)
            if pause is None or _left[found] < 1:
                raise
        tries += 1
        _left[found] -= 1
        call.notes["retries"] = {"times": tries}
        await asyncio.sleep(pause)


def _pause(call: Call, problem: ModelUnavailable, tries: int) -> float | None:
    """Seconds to wait before the next try; None when there is none."""
    settings = LLMSettings.load()
    if tries >= settings.retries:
        return None
    wait = random.uniform(0.5, 1) * FIRST_PAUSE * 2**tries  # noqa: S311 no secret, only spread
    if problem.wait is not None:
        wait += problem.wait
    falls_over = call.second is not None and call.provider is not call.second
    longest = settings.retry_seconds
    if falls_over:
        longest = min(longest, LONGEST_BEFORE_FALLBACK)
    left = call.until - asyncio.get_running_loop().time() - LEAST_SECONDS
    return wait if wait <= min(longest, left) else None
