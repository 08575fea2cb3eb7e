"""A price that cannot be read stops the start, not the first question. So it does in a worker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.usage import prices


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    prices.check()
    yield
