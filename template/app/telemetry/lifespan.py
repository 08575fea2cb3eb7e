"""Lets Prometheus read what the web process counts, and sends its traces."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.telemetry.listener import listening
from app.telemetry.tracing import traced


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    async with traced(), listening():
        yield
