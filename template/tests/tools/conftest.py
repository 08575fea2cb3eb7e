"""People, a model that does what it is told, and tools made for one test."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from app.audit.models import Event
from app.core import db
from app.tools import registry
from tests.asking import Browser, browser, browser_of, live_browser, model
from tests.llm.behaviour import Behaviour, Received
from tests.llm.wire_server import WireServer

__all__ = ["browser", "browser_of", "live_browser", "model"]

Call = tuple[str, Any]


def asks(*calls: Call, words: tuple[str, ...] = ()) -> Behaviour:
    """A model that asks for these tools."""
    made = tuple(
        (name, given if isinstance(given, str) else orjson.dumps(given).decode())
        for name, given in calls
    )
    return Behaviour(words=words, calls=made, finish="tool_calls")


def says(*words: str) -> Behaviour:
    return Behaviour(words=words)


@pytest.fixture
def plays(model: WireServer, configure: Callable[..., None]) -> Callable[..., None]:
    """`plays(asks(...), says(...))`: what the model does, one after the other, then the last."""
    configure(TOOLS_OFFERED="true")

    def play(*behaviours: Behaviour) -> None:
        left = list(behaviours)

        def choose(_: Received) -> Behaviour:
            return left.pop(0) if len(left) > 1 else left[0]

        model.choose = choose

    return play


@pytest.fixture
def tool() -> Iterator[Callable[..., Any]]:
    """The decorator; what it registers is gone after the test."""
    before = set(registry.tools())
    yield registry.tool
    for name in set(registry.tools()) - before:
        registry._tools.pop(name)


def uses(events: list[tuple[str, Any]]) -> list[tuple[str, str, str]]:
    """Name, state and reason of each tool, when it was over."""
    found = [data for name, data in events if name == "tool" and data["state"] != "running"]
    return [(one["name"], one["state"], one["reason"]) for one in found]


def told(server: WireServer) -> list[str]:
    """What the model was told as results of tools, in its last request."""
    messages = server.requests[-1].body["messages"]
    return [one["content"] for one in messages if one["role"] == "tool"]


def offered(server: WireServer, at: int = -1) -> list[str]:
    tools = server.requests[at].body.get("tools", [])
    return [one["function"]["name"] for one in tools]


async def recorded(browser: Browser, action: str) -> list[Event]:
    async with db.transaction(organization_id=browser.someone.organization_id) as session:
        rows = await session.scalars(select(Event).where(Event.action == action))
        return list(rows)
