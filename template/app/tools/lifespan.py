"""A tool that cannot be offered stops the start, and not the first answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.tools.registry import refuse_unknown_permissions


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    refuse_unknown_permissions()
    yield
