"""Colleagues and strangers who ask the same questions, and a model that counts them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.cache import noting
from app.cache.models import CachedAnswer, CacheDay
from app.core import db
from app.prompts.lifespan import ready
from tests.asking import Browser, browser, browser_of, model
from tests.factories import make_organization, make_user

__all__ = ["browser", "browser_of", "model"]

Team = tuple[Browser, Browser, Browser]


class Patient(Browser):
    """Someone whose answers are noted for others before they go on."""

    async def ask(self, conversation: str, text: str, key: str | None = None) -> list[Any]:
        events = await super().ask(conversation, text, key)
        await noting.settled()
        return events


@pytest.fixture
async def team(browser_of: Callable[..., Any], model: Any, configure: Callable[..., None]) -> Team:
    """A member, a colleague with the same role, and their administrator."""
    configure(CACHE_ANSWERS="exact")
    await ready()
    organization = await make_organization()
    people = [await make_user(organization, password=False) for _ in range(2)]
    admin = await make_user(organization, role="admin", password=False)
    found = [await browser_of(someone) for someone in [*people, admin]]
    one, other, administrator = [Patient(each.client, each.someone) for each in found]
    return one, other, administrator


async def ask(browser: Browser, question: str) -> list[Any]:
    """In a new conversation."""
    return await browser.ask(await browser.new(), question)


async def kept(organization_id: UUID) -> list[CachedAnswer]:
    await noting.settled()
    async with db.transaction(organization_id=organization_id) as session:
        return list(await session.scalars(select(CachedAnswer)))


async def days(organization_id: UUID) -> CacheDay:
    await noting.settled()
    async with db.transaction(organization_id=organization_id) as session:
        return (await session.scalars(select(CacheDay))).one()
