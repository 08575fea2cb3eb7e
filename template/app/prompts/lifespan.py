"""Brings the project's prompt files into the registry and reads it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import Error as PsycopgError
from sqlalchemy.exc import SQLAlchemyError

from app.core.db import transaction
from app.core.logging import log
from app.prompts import files, registry, shadowing
from app.users import operators


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    found = [*files.files()]  # A broken file stops the start.
    try:
        await ready(found)
    except (SQLAlchemyError, PsycopgError, OSError, TimeoutError) as error:
        # Everything but answers works without; the beat goes on trying.
        log.error("prompts.not_loaded", error=type(error).__name__)
    try:
        yield
    finally:
        await shadowing.drain()


async def ready(found: list[files.PromptFile] | None = None) -> None:
    """Seed and read the registry: what a command or a job does before it asks for a prompt."""
    async with transaction(elevated=True) as db:
        await files.seed(db, [*files.files()] if found is None else found)
        await operators.organization_id(db)
    await registry.kept.refresh()
