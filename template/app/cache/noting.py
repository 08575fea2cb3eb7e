"""What became of calls is written down beside them, one after the other.

In the transaction that settles a call it would hold everybody up: all calls of an organisation
count in one row, and what waits for it has locked the sums of its budgets. What a process that dies
had not written yet is lost, as a cache may.
"""

import asyncio
from collections import deque
from typing import Any, LiteralString

from psycopg import Error as PsycopgError

from app.core.logging import log
from app.limits.connections import fetch

NOTE: LiteralString = (
    "SELECT cache_note(%(organization)s, %(person)s, %(feature)s, %(what)s, %(entry)s, %(prompt)s,"
    " %(exact)s, %(loose)s, %(scope)s, %(signature)s, %(vector)s, %(made_by)s, %(with_documents)s,"
    " %(text)s, %(details)s, %(tokens)s, %(microdollars)s, %(seconds)s, %(began)s, %(seen)s)"
)
MOST_WAITING = 1000
# An answer waits that long for whoever is just emptying something, and is not kept after that.
TRIES = 5
SECONDS_BETWEEN_TRIES = 0.05

_waiting: deque[tuple[dict[str, Any], int]] = deque()
_writer: asyncio.Task[None] | None = None


def note(values: dict[str, Any]) -> None:
    """Write it soon, unless too much waits."""
    global _writer
    if len(_waiting) >= MOST_WAITING:
        return
    _waiting.append((values, TRIES))
    if _writer is None or _writer.done():
        _writer = asyncio.create_task(_write())


async def settled() -> None:
    """Wait until all is written."""
    while _writer is not None and not _writer.done():
        await asyncio.wait([_writer])


async def _write() -> None:
    while _waiting:
        values, left = _waiting.popleft()
        # Without its words it is only counted, which nobody can be in the way of.
        said = values["text"] if left else None
        try:
            row = await fetch(NOTE, values | {"text": said})
        except (PsycopgError, TimeoutError) as error:
            log.warning("cache.not_noted", error=type(error).__name__)
            continue
        if row == (False,):
            _waiting.append((values, left - 1))
            await asyncio.sleep(SECONDS_BETWEEN_TRIES)
