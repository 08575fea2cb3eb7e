"""People who ask, and a model provider on a real socket that answers."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx2
import orjson
import pytest
from fastapi import FastAPI

from app.access.forgery import SESSION_COOKIE
from app.core.ids import uuid7
from app.llm import http
from app.modules import has
from tests.conftest import new_client
from tests.factories import Someone, make_user, sign_in
from tests.llm.wire_server import WireServer, running

Event = tuple[str, Any]


@pytest.fixture
async def model(configure: Callable[..., None]) -> AsyncIterator[WireServer]:
    """A model provider; `model.behaviour` says how it answers."""
    async with running() as server:
        configure(LLM_PROVIDER="compatible", LLM_BASE_URL=server.url, LLM_MODEL="small-1")
        yield server
    await http.close()


@dataclass
class Reader:
    """What someone reads of one answer."""

    response: httpx2.Response
    events: list[Event] = field(default_factory=list)

    async def __aiter__(self) -> AsyncIterator[Event]:
        name = "message"
        async for line in self.response.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                event = (name, orjson.loads(line.removeprefix("data: ")))
                self.events.append(event)
                yield event

    async def whole(self) -> list[Event]:
        return [event async for event in self]


@dataclass
class Browser:
    """Someone signed in."""

    client: httpx2.AsyncClient
    someone: Someone

    async def new(self) -> str:
        """A new conversation's id."""
        made = await self.client.post("/api/conversations", json={})
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    @asynccontextmanager
    async def asking(
        self, conversation: str, text: str, key: str | None = None
    ) -> AsyncIterator[Reader]:
        async with self.client.stream(
            "POST",
            f"/api/conversations/{conversation}/messages",
            json={"text": text},
            headers={"Idempotency-Key": key} if key else {},
        ) as response:
            yield Reader(response)

    async def ask(self, conversation: str, text: str, key: str | None = None) -> list[Event]:
        async with self.asking(conversation, text, key) as reader:
            return await reader.whole()

    async def refused(
        self, conversation: str, text: str, key: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and problem of a question that gets no stream."""
        async with self.asking(conversation, text, key) as reader:
            return reader.response.status_code, orjson.loads(await reader.response.aread())

    async def said(self, conversation: str) -> list[tuple[str, str, str]]:
        """Role, text and state of all messages."""
        return [(m["role"], m["text"], m["state"]) for m in await self.messages(conversation)]

    async def messages(self, conversation: str) -> list[dict[str, Any]]:
        found = await self.client.get(f"/api/conversations/{conversation}")
        assert found.status_code == 200, found.text
        return list(found.json()["messages"])


THEIRS = "app/assistant has gone: test the same through what took its place."
through_the_assistant = pytest.mark.skipif(not has("assistant"), reason=THEIRS)
"""The assistant is its team's. Where it has gone, what is seen through it is left out."""


def need_the_assistant() -> None:
    if not has("assistant"):
        pytest.skip(THEIRS)


@pytest.fixture
async def browser_of(app: FastAPI) -> AsyncIterator[Callable[[Someone], Any]]:
    """`browser = await browser_of(someone)` signs in. Answers arrive when they are whole."""
    need_the_assistant()
    async with AsyncExitStack() as stack:

        async def open_browser(someone: Someone) -> Browser:
            client = await stack.enter_async_context(new_client(app))
            return Browser(await sign_in(client, someone), someone)

        yield open_browser


@pytest.fixture
async def browser(browser_of: Callable[[Someone], Any]) -> Browser:
    """A member who is signed in."""
    made: Browser = await browser_of(await make_user(password=False))
    return made


@pytest.fixture
async def live_browser(live_server: str) -> AsyncIterator[Browser]:
    """The same over a real socket: an answer arrives word by word."""
    need_the_assistant()
    async with httpx2.AsyncClient(base_url=live_server, timeout=30, verify=False) as client:
        someone = await make_user(password=False)
        await sign_in(client, someone)
        # The cookie is for HTTPS only; what stands before the app in production ends that.
        client.headers["Cookie"] = f"{SESSION_COOKIE}={client.cookies[SESSION_COOKIE]}"
        client.cookies.clear()
        yield Browser(client, someone)


def turns_in_order(count: int) -> list[UUID]:
    """Ids of turns, a millisecond apart as those of people are at least."""
    first = uuid7().int
    return [UUID(int=first + (number << 80)) for number in range(count)]


def text_of(events: list[Event]) -> str:
    """What a reader sees at the end."""
    text = ""
    for name, data in events:
        if name == "delta":
            text += data["text"]
        if name == "replace":
            text = data["text"]
    return text
