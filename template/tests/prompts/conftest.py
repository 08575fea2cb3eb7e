"""Operators: the people of the organisation that runs the app."""

import secrets
from collections.abc import Callable
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from app.core import db
from app.prompts import files, registry
from app.prompts.files import PromptFile
from app.users.service import the_organization
from tests.factories import Someone, make_user, sign_in


@pytest.fixture
async def operators(app: FastAPI) -> UUID:
    """The organisation that runs the app."""
    async with db.transaction(elevated=True) as session:
        return (await the_organization(session)).id


@pytest.fixture
async def operator(client: httpx2.AsyncClient, operators: UUID) -> Someone:
    """An administrator of those who run the app, signed in."""
    made = await make_user(operators, role="admin", password=False)
    await sign_in(client, made, second_factor=True)
    return made


@pytest.fixture
async def seeded(app: FastAPI) -> Callable[..., object]:
    """`name = await seeded("Text")` brings a file with a name of its own into the registry."""

    async def seed(text: str, name: str = "", variables: tuple[str, ...] = ("today",)) -> str:
        name = name or f"test.{secrets.token_hex(4)}"
        async with db.transaction(elevated=True) as session:
            await files.seed(session, [PromptFile(name, "For a test.", variables, text)])
        await registry.kept.refresh()
        return name

    return seed
