"""Loads the learned detector before the first question, or stops the start when it is not there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.guardrails.detector import detector, in_thread
from app.guardrails.settings import GuardrailsSettings

LONGEST = 60


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    if GuardrailsSettings.load().learned:
        await in_thread(detector, LONGEST)
    yield
