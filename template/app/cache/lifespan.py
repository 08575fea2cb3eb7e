"""Gives up comparisons that run when the server stops."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.cache import checking


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    yield
    await checking.drain()
