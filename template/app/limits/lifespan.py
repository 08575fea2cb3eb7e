"""Gives the connections back when the app stops."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.limits import connections


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    try:
        yield
    finally:
        await connections.close()
