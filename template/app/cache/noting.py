"""What became of calls is written down beside them, one after the other.

In the transaction that settles a call it would hold everybody up: all calls of an organisation
count in one row, and what waits for it has locked the sums of its budgets. What a process that dies
had not written yet is lost, as a cache may.
"""

import asyncio
from collections import deque
from time import perf_counter
from typing import Any, LiteralString

from psycopg import Error as PsycopgError

from app.core.logging import log
from app.limits.connections import fetch

NOTE: LiteralString = (
    "SELECT cache_note(%(organization)s, %(person)s, %(feature)s, %(what)s, %(entry)s, %(prompt)s,"
    " %(exact)s, %(loose)s, %(scope)s, %(signature)s, %(vector)s, %(made_by)s, %(with_documents)s,"
    " %(text)s, %(details)s, %(tokens)s, %(microdollars)s, %(seconds)s, %(seconds_ago)s)"
)
MOST_WAITING = 1000

_waiting: deque[tuple[dict[str, Any], float]] = deque()
_writer: asyncio.Task[None] | None = None


def note(values: dict[str, Any], began: float) -> None:
    """Write it soon, unless too much waits. `began` is when the call did, by `perf_counter`."""
    global _writer
    if len(_waiting) >= MOST_WAITING:
        return
    _waiting.append((values, began))
    if _writer is None or _writer.done():
        _writer = asyncio.create_task(_write())


async def settled() -> None:
    """Wait until all is written."""
    while _writer is not None and not _writer.done():
        await asyncio.wait([_writer])


async def _write() -> None:
    while _waiting:
        values, began = _waiting.popleft()
        try:
            await fetch(NOTE, values | {"seconds_ago": perf_counter() - began})
        except (PsycopgError, TimeoutError) as error:
            log.warning("cache.not_noted", error=type(error).__name__)
