"""Answers whose time does not tell what was found."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

# Several times what the longest way through the database takes.
SECONDS = 0.2


@asynccontextmanager
async def even_time() -> AsyncIterator[None]:
    """Leave the block no sooner than after `SECONDS`. Open transactions inside it, not around."""
    until = monotonic() + SECONDS
    try:
        yield
    finally:
        await asyncio.sleep(max(0.0, until - monotonic()))
