"""Keeps up with the flags while the app runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from app.flags import state


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    beat = asyncio.create_task(state.beat())
    try:
        yield
    finally:
        beat.cancel()
        with suppress(asyncio.CancelledError):
            await beat
