"""Someone who asks, two who review, and a stranger's organisation with the same."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select, text

from app.audit.models import Event
from app.core import db
from tests.asking import Browser, browser, browser_of, live_browser, model
from tests.factories import make_organization, make_user
from tests.llm.wire_server import Behaviour

__all__ = ["browser", "browser_of", "live_browser", "model"]


@dataclass
class Office:
    asker: Browser
    reviewer: Browser
    other: Browser
    """A second reviewer."""

    async def claimed(self, who: Browser | None = None, **wanted: str) -> dict[str, Any]:
        """What someone takes next."""
        answer = await (who or self.reviewer).client.post("/api/review/claim", json=wanted)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def resolved(self, verdict: str, who: Browser | None = None, **more: str) -> Any:
        """Take the next one and decide it."""
        one = await self.claimed(who)
        return await self.decide(who or self.reviewer, one, verdict, **more)

    async def decide(self, who: Browser, one: dict[str, Any], verdict: str, **more: str) -> Any:
        sent = {"verdict": verdict} | more
        return await who.client.post(f"/api/review/{one['id']}/resolve", json=sent)

    async def answer(self, question: str = "What is it?") -> tuple[str, str]:
        """Ask in a new conversation; its id and the call's."""
        conversation = await self.asker.new()
        events = await self.asker.ask(conversation, question)
        return conversation, str(events[-1][1]["call_id"])

    async def queue(self, who: Browser | None = None, **wanted: Any) -> list[dict[str, Any]]:
        found = await (who or self.reviewer).client.get("/api/review", params=wanted)
        assert found.status_code == 200, found.text
        return list(found.json()["reviews"])

    async def told(self, conversation: str) -> tuple[str, str, dict[str, Any] | None]:
        """Text and state of the last answer, and what it says of its review."""
        last = (await self.asker.messages(conversation))[-1]
        return last["text"], last["state"], last["metadata"].get("review")


@pytest.fixture
async def office(browser_of: Callable[..., Any]) -> Office:
    return await make_office(browser_of)


async def make_office(browser_of: Callable[..., Any]) -> Office:
    one = await make_organization()
    return Office(
        await browser_of(await make_user(one, password=False)),
        await browser_of(await make_user(one, role="reviewer", password=False)),
        await browser_of(await make_user(one, role="admin", password=False)),
    )


def says(*words: str, **more: Any) -> Behaviour:
    return Behaviour(words=words, **more)


QUESTION = "I am Ada, ada@example.com. May Grace Hopper call 030 901820 on Monday?"


@pytest.fixture
async def corrected(office, model, configure):
    """A look that corrected an answer."""
    configure(REVIEW_SAMPLE='{"assistant": 1}')
    model.behaviour = says("Yes, ", "she may.")
    await make_user(
        office.asker.someone.organization_id, display_name="Grace Hopper", password=False
    )
    await office.answer(QUESTION)
    done = await office.resolved("corrected", correction="Write to ADA@example.com, Ada.")
    return done.json()["id"]


async def recorded(browser: Browser, action: str) -> list[Event]:
    async with db.transaction(organization_id=browser.someone.organization_id) as session:
        rows = await session.scalars(select(Event).where(Event.action == action))
        return list(rows)


async def move_back(database: Any, hours: int, *, what: str = "due_at") -> None:
    """Let time pass for every look there is."""
    import psycopg

    with psycopg.connect(database.admin) as admin:
        admin.execute(f"UPDATE review_looks SET {what} = {what} - make_interval(hours => {hours})")


async def rows(browser: Browser, table: str) -> int:
    async with db.transaction(organization_id=browser.someone.organization_id) as session:
        return int(await session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)
