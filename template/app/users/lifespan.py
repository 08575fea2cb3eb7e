"""Finds out which organisation runs the app: often the first one is made while the app runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from psycopg import Error as PsycopgError
from sqlalchemy.exc import SQLAlchemyError

from app.core.db import transaction
from app.users import operators

EVERY_SECONDS = 1.0


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    search = asyncio.create_task(_keep_looking())
    try:
        yield
    finally:
        search.cancel()
        with suppress(asyncio.CancelledError):
            await search


async def _keep_looking() -> None:
    while True:
        if operators.missed():
            with suppress(SQLAlchemyError, PsycopgError, OSError, TimeoutError):
                async with transaction(elevated=True) as db:
                    await operators.organization_id(db)
        await asyncio.sleep(EVERY_SECONDS)
