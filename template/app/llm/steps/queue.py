"""So many calls run at once, so many wait, and who would wait too long is told so at once.

The numbers hold for each process. A place is kept until the answer has ended.
"""

import asyncio
from collections import deque
from time import monotonic
from weakref import WeakKeyDictionary

from app.llm import circuit
from app.llm.call import Begin, Begun, Call
from app.llm.errors import ModelBusy
from app.llm.port import Provider
from app.llm.settings import LLMSettings

# How long a call takes, as long as none has ended.
FIRST_GUESS = 5.0
WEIGHT = 0.1
NOTICEABLE = 0.001

_queues: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[circuit.Circuit, "Queue"]] = (
    WeakKeyDictionary()
)


async def opening(call: Call, begin: Begin) -> Begun:
    queue = _queue_of(call)
    came = monotonic()
    await queue.enter()
    entered = monotonic()
    if entered - came > NOTICEABLE:
        call.notes["queue"] = {"waited_ms": round((entered - came) * 1000)}
    try:
        begun = await begin(call)
    except BaseException:
        queue.leave(None)
        raise
    call.leaving.append(lambda: queue.leave(monotonic() - entered))
    return begun


def has_room(provider: Provider) -> bool:
    """Whether a call would get a place there at once."""
    queues = _queues.get(asyncio.get_running_loop(), {})
    found = queues.get(circuit.of(provider))
    return found is None or found.has_room


class Queue:
    def __init__(self) -> None:
        self.running = 0
        self.seconds = FIRST_GUESS
        """How long a call takes, lately."""
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def expected(self) -> float:
        """Seconds that one more would wait."""
        return (len(self._waiting) + 1) * self.seconds / LLMSettings.load().calls_at_once

    @property
    def has_room(self) -> bool:
        return self.running < LLMSettings.load().calls_at_once and not self._waiting

    async def enter(self) -> None:
        """Take a place, or raise `ModelBusy`."""
        settings = LLMSettings.load()
        if self.has_room:
            self.running += 1
            return
        if len(self._waiting) >= settings.queue_length or self.expected > settings.queue_seconds:
            raise self._busy()
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout(settings.queue_seconds):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled():
                self.leave(None)  # It came in the same moment.
            elif place in self._waiting:
                self._waiting.remove(place)
            if isinstance(error, TimeoutError):
                raise self._busy() from error
            raise

    def leave(self, seconds: float | None) -> None:
        """Give the place to who has waited longest. `seconds` it took, when an answer came."""
        if seconds is not None:
            self.seconds += WEIGHT * (seconds - self.seconds)
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.running -= 1

    def _busy(self) -> ModelBusy:
        wait = max(1, round(self.expected))
        return ModelBusy(
            f"Many people are asking at this moment. Please ask again in {wait} seconds.",
            retry_after=wait,
        )


def _queue_of(call: Call) -> Queue:
    queues = _queues.setdefault(asyncio.get_running_loop(), {})
    return queues.setdefault(circuit.of(call.routed), Queue())
