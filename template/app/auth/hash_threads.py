"""Hashes beside the event loop: as many at once as there are cores, and a bounded number waits.

The next is told to come back: a flood of sign-ins cannot take the memory or the event loop.

Next to hashes, which sweep 19 MiB each through the cores' caches, all that follows a hash takes
twice as long. So while hashes wait for a core, answers wait for each other for a moment, and what
follows them is done in one go: more people sign in, and the median waits less.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial
from time import monotonic
from typing import Any, TypeVar, TypeVarTuple

from app.auth.settings import PasswordSettings
from app.core.errors import Unavailable

TOGETHER = 8
SECONDS_TOGETHER = 0.1

Result = TypeVar("Result")
Values = TypeVarTuple("Values")


class Busy(Unavailable):
    pass


@cache
def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2


@cache
def _threads() -> ThreadPoolExecutor:
    # They take the next hash from their queue without asking the event loop: no core falls idle.
    return ThreadPoolExecutor(cores(), "hash")


_open: set[Future[Any]] = set()
"""Hashes under way and those that wait."""
_untold: deque[tuple[float, Callable[[], None]]] = deque()
"""What is done: since when, and what tells it to whoever asked."""


async def off_the_loop(work: Callable[[*Values], Result], *values: *Values) -> Result:
    """What `work(*values)` gives or raises. Raises `Busy` when too many wait already."""
    if len(_open) >= cores() + PasswordSettings.load().waiting:
        raise Busy("Many people are signing in just now; please try again.", retry_after=2)
    answer: Future[Result] = Future()
    _open.add(answer)
    answer.add_done_callback(_open.discard)  # nobody asks any more
    _threads().submit(_run, answer, partial(work, *values))
    return await asyncio.wrap_future(answer)


def _run(answer: Future[Result], work: Callable[[], Result]) -> None:
    """In a thread, which cannot be stopped: only what waits is left out when nobody asks any more.

    Whoever is done last finds no other one open: no answer is left untold.
    """
    if answer.set_running_or_notify_cancel():
        try:
            tell = partial(answer.set_result, work())
        except BaseException as error:  # noqa: BLE001 whoever asked is told
            tell = partial(answer.set_exception, error)
        _untold.append((monotonic(), tell))
    _open.discard(answer)
    with suppress(IndexError):  # Another thread may tell them, too.
        if (
            len(_open) <= cores()
            or len(_untold) >= TOGETHER
            or monotonic() - _untold[0][0] > SECONDS_TOGETHER
        ):
            while True:
                _untold.popleft()[1]()
