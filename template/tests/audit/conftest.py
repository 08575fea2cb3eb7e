from collections.abc import AsyncIterator, Awaitable, Callable
from secrets import token_hex
from uuid import UUID

import psycopg
import pytest
from fastapi import FastAPI

from app.audit import service
from app.audit.verification import Report, verify
from app.core.db import transaction
from app.core.embedded import Urls
from app.core.ids import uuid7
from tests.factories import Someone, make_user, sign_in


@pytest.fixture
def organization_id() -> UUID:
    """A chain of its own; the log needs no organisation to exist, or to go on existing."""
    return uuid7()


@pytest.fixture
async def five_events(app: FastAPI, organization_id: UUID) -> UUID:
    """An organisation with events 1 to 5."""
    for number in range(1, 6):
        async with transaction(organization_id=organization_id) as db:
            await service.record(
                db, "test.happened", organization_id=organization_id, detail={"number": number}
            )
    return organization_id


@pytest.fixture
async def tamper(app: FastAPI, database: Urls) -> AsyncIterator[psycopg.AsyncConnection]:
    """The database administrator's way in: no row security, and triggers switched off."""
    async with await psycopg.AsyncConnection.connect(database.admin, autocommit=True) as made:
        await made.execute("SET session_replication_role = replica")
        yield made


@pytest.fixture
def verified(app: FastAPI) -> Callable[[UUID | None], Awaitable[Report]]:
    async def run(organization_id: UUID | None) -> Report:
        async with transaction(elevated=True, organization_id=organization_id) as db:
            return await verify(db, organization_id)

    return run


@pytest.fixture
def action() -> str:
    """An action that no other test records."""
    letters = token_hex(6).translate(str.maketrans("0123456789", "ghijklmnop"))
    return f"test.{letters}"


@pytest.fixture
async def admin(client) -> Someone:
    someone = await make_user(role="admin", password=False)
    await sign_in(client, someone)
    return someone


async def happen(someone: Someone, *actions: str, **values: object) -> None:
    for action in actions:
        async with transaction(organization_id=someone.organization_id) as db:
            await service.record(
                db,
                action,
                organization_id=someone.organization_id,
                **{"user_id": someone.user_id} | values,
            )
