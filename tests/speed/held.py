"""The app's command line, which notes how long the event loop was held at once.

Between two looks, a thousandth of a second apart, the loop has run what was there to run. How long
that took counts what other processes took of its core, be they the database's or none of ours. So
the same is told without the waits for a core, as the kernel counts them, and what it took of one.
The first seconds are the start's.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from time import monotonic, thread_time
from typing import Any

import uvicorn

GAP, START_SECONDS = 0.001, 5.0
WAYS = ("took", "own", "cpu")


class Watched(uvicorn.Server):
    turns: list[tuple[float, ...]]

    async def startup(self, sockets: Any = None) -> None:
        self.turns = []
        await super().startup(sockets)
        self.watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        await asyncio.sleep(START_SECONDS)
        counted = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        waited = lambda: int(os.pread(counted, 100, 0).split()[1]) / 1e9  # noqa: E731
        while True:
            before, used, behind = monotonic(), thread_time(), waited()
            await asyncio.sleep(GAP)
            took = monotonic() - before - GAP
            self.turns.append((took, took - (waited() - behind), thread_time() - used))

    async def shutdown(self, sockets: Any = None) -> None:
        self.watching.cancel()
        found = {}
        for at, name in enumerate(WAYS):
            ordered = sorted(turn[at] * 1000 for turn in self.turns) or [0.0]
            found[name] = {"longest": ordered[-1], "p999": ordered[int(len(ordered) * 0.999)]}
        Path(os.environ["HELD_FILE"]).write_text(json.dumps(found))
        await super().shutdown(sockets)


if __name__ == "__main__":
    # Where `uvicorn.run` looks for it; the package's name `main` is that of a function.
    vars(sys.modules["uvicorn.main"])["Server"] = Watched
    from app.cli import main

    main()
