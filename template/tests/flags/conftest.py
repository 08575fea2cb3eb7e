from collections.abc import AsyncIterator
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from app.core import db
from app.flags import service, state
from app.users.service import the_organization
from tests.factories import Someone, make_user, sign_in


@pytest.fixture
async def operators(app: FastAPI) -> AsyncIterator[UUID]:
    """The organisation that runs the app; what tests set is on again for the next one."""
    async with db.transaction(elevated=True) as session:
        organization = await the_organization(session)
    yield organization.id
    async with db.transaction(elevated=True) as session:
        for one in await service.flags(session):
            if one.is_set:
                await service.set_flag(
                    session,
                    one.name,
                    enabled=True,
                    off_for=(),
                    reason="",
                    organization_id=organization.id,
                )
    await state.kept.refresh()


@pytest.fixture
async def operator(client: httpx2.AsyncClient, operators: UUID) -> Someone:
    """An administrator of those who run the app, signed in."""
    made = await make_user(operators, role="admin", password=False)
    await sign_in(client, made, second_factor=True)
    return made
