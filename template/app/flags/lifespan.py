"""Makes the provider of flags before the first question asks it, and stops what runs in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from openfeature import api

from app.flags import provider
from app.flags.settings import FlagsSettings


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    # In a thread: another provider may wait for its server.
    await asyncio.to_thread(provider.client)
    yield
    if FlagsSettings.load().provider:
        await asyncio.to_thread(api.clear_providers)
        provider.client.cache_clear()
