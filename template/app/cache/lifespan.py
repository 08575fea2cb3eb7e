"""When the server stops, gives up comparisons and writes down what is left."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.cache import checking, noting


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    yield
    await checking.drain()
    await noting.settled()
