"""A conversation belongs to who writes its answer, for as long as that one says so."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from app.assistant import holding
from app.core import db
from tests.asking import Browser
from tests.assistant.test_answers import until
from tests.llm.wire_server import WORDS, Behaviour


@pytest.fixture(autouse=True)
async def own_pauses() -> AsyncIterator[None]:
    """The task that holds on pauses as this test says, and no later one as this one said."""
    await ended(holding._holding)
    yield
    await ended(holding._holding)


async def ended(task: asyncio.Task[None] | None) -> None:
    if task:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
def browser(live_browser: Browser) -> Browser:
    return live_browser


async def blocked_for(browser, moment=None) -> float | None:
    """Seconds for which the conversation stays reserved, by the database's clock."""
    someone = browser.someone
    own = {"organization_id": someone.organization_id, "user_id": someone.user_id}
    async with db.transaction(**own) as session:
        if moment:
            await session.execute(text(f"UPDATE conversations SET answering_until = {moment}"))
        left = "extract(epoch FROM answering_until - clock_timestamp())::float8"
        return await session.scalar(text(f"SELECT {left} FROM conversations"))


async def test_a_server_that_died_while_answering_blocks_for_some_seconds(browser):
    conversation = await browser.new()
    for moment, status in (("clock_timestamp() + interval '9 seconds'", 409), ("now()", 200)):
        await blocked_for(browser, moment)
        async with browser.asking(conversation, "Hello?") as reader:
            assert reader.response.status_code == status
            await reader.response.aread()


async def test_who_writes_says_so_again_and_again(browser, model, monkeypatch):
    monkeypatch.setattr(holding, "SECONDS_BETWEEN", 0.05)
    go_on = asyncio.Event()
    model.behaviour = Behaviour(hold=go_on)
    conversation = await browser.new()
    asking = asyncio.create_task(browser.ask(conversation, "What is it?"))
    await until(lambda: bool(model.requests))
    # Whoever dies now blocks nobody for longer than this, whatever a call may last.
    assert await blocked_for(browser) <= holding.SECONDS
    await blocked_for(browser, "clock_timestamp() + interval '1 second'")
    async with asyncio.timeout(30):
        while (await blocked_for(browser) or 0) < holding.SECONDS / 2:
            await asyncio.sleep(0.02)
    go_on.set()
    assert (await asking)[-1][0] == "done"
    assert await blocked_for(browser) is None


async def reserved(**own) -> int:
    async with db.transaction(**own) as session:
        found = "SELECT count(*) FROM usage_records WHERE state = 'reserved'"
        return await session.scalar(text(found))


async def test_who_was_taken_for_dead_frees_nothing_that_another_one_holds(
    browser, model, monkeypatch
):
    monkeypatch.setattr(holding, "SECONDS_BETWEEN", 3600)
    first_may, second_may = asyncio.Event(), asyncio.Event()
    conversation = await browser.new()
    model.behaviour = Behaviour(hold=first_may)
    first = asyncio.create_task(browser.ask(conversation, "First?", "one"))
    await until(lambda: len(model.requests) == 1)
    await blocked_for(browser, "now()")
    model.behaviour = Behaviour(hold=second_may)
    second = asyncio.create_task(browser.ask(conversation, "First?", "one"))
    await until(lambda: len(model.requests) == 2)
    first.cancel()
    await asyncio.wait({first})
    own = {"organization_id": browser.someone.organization_id}
    async with asyncio.timeout(30):
        while await reserved(**own) > 1:
            await asyncio.sleep(0.02)
    status, problem = await browser.refused(conversation, "Third?")
    assert (status, problem["type"]) == (409, "/problems/still-answering")
    second_may.set()
    assert (await second)[-1][0] == "done"
    assert [text for _, text, _ in await browser.said(conversation)] == ["First?", "".join(WORDS)]
