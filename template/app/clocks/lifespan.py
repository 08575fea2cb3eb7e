"""Keeps up with the database while the app runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from app.clocks import kept


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    beat = asyncio.create_task(kept.beat())
    try:
        yield
    finally:
        beat.cancel()
        with suppress(asyncio.CancelledError):
            await beat
