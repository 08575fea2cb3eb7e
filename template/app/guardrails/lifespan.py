"""Loads the learned detector before the first question, or stops the start when it is not there.

Keeps up with what organisations set.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from app.guardrails import state
from app.guardrails.detector import detector, in_thread
from app.guardrails.settings import GuardrailsSettings

LONGEST = 60


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    if GuardrailsSettings.load().learned:
        await in_thread(detector, LONGEST)
    beat = asyncio.create_task(state.beat())
    try:
        yield
    finally:
        beat.cancel()
        with suppress(asyncio.CancelledError):
            await beat
