"""Lets Prometheus read what the web process counts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.telemetry.listener import listening


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    async with listening():
        yield
