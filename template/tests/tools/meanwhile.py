"""An answer in which something happens while a tool works, and then it goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from app.core import db
from app.tools.registry import Arguments, Use
from tests.asking import Browser, Event
from tests.factories import Someone


class Nothing(Arguments):
    pass


@pytest.fixture
def slow(tool: Callable[..., Any]) -> tuple[asyncio.Event, asyncio.Event, list[str]]:
    """A tool that works until it is let go on, and two that note that they ran."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    ran: list[str] = []

    @tool(title="Look", permission="assistant.use", stakes="read", taints=False)
    async def look_long(use: Use, arguments: Nothing) -> str:
        """Look."""
        begun.set()
        async with asyncio.timeout(30):
            await go_on.wait()
        return "seen"

    @tool(title="Read", permission="assistant.use", stakes="read", taints=False)
    async def read_more(use: Use, arguments: Nothing) -> str:
        """Read."""
        ran.append("read_more")
        return "read"

    @tool(title="Read people", permission="users.read", stakes="read", taints=False)
    async def read_people(use: Use, arguments: Nothing) -> str:
        """Read."""
        ran.append("read_people")
        return "read"

    return begun, go_on, ran


async def meanwhile(
    browser: Browser,
    until: Callable[[], Awaitable[object]],
    doing: Awaitable[httpx2.Response],
    go_on: asyncio.Event,
) -> tuple[str, list[Event]]:
    """An answer in which something is done once it has come so far; then it goes on."""
    conversation = await browser.new()
    answer = asyncio.create_task(browser.ask(conversation, "Look."))
    async with asyncio.timeout(30):
        await until()
    done = await doing
    assert done.status_code in {200, 204}, done.text
    go_on.set()
    return conversation, await answer


async def of_the_budget(someone: Someone) -> tuple[list[str], int | None]:
    async with db.transaction(organization_id=someone.organization_id) as session:
        states = await session.execute(text("SELECT DISTINCT state FROM usage_records"))
        held = await session.scalar(text("SELECT sum(reserved_tokens) FROM usage_counters"))
    return [one for (one,) in states], held
