import asyncio
import time
from collections.abc import Awaitable, Callable

from tests.llm.conftest import caller, wire_server

__all__ = ["caller", "wire_server"]


async def holds_the_loop(seconds: float, work: Callable[[], Awaitable[object]]) -> bool:
    """Whether something holds the event loop for so long, three times out of three: once may be the
    garbage of everything that ran before."""
    for _ in range(3):
        longest = 0.0

        async def watch() -> None:
            nonlocal longest
            while True:
                # Of this thread alone: how long others have the core says nothing about us.
                before = time.thread_time()
                await asyncio.sleep(0)
                longest = max(longest, time.thread_time() - before)

        watcher = asyncio.create_task(watch())
        await work()
        watcher.cancel()
        if longest < seconds:
            return False
    return True
