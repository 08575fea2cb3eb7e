"""Forty people with browsers, who come through the proxy and notice whatever fails."""

import asyncio
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic

import httpx2

PASSWORD = "correct horse battery staple 42"
# What a client sees of a connection that was closed under its request.
CLOSED = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)
HEADERS = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Noticed:
    """What people saw."""

    requests: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[float, str, str]] = field(default_factory=list)
    """When, what, why: of requests that are no streams."""
    streams_cut: int = 0
    in_flight: int = 0
    slowest: float = 0


@dataclass
class Person:
    email: str
    client: httpx2.AsyncClient
    noticed: Noticed
    conversation: str = ""
    was_cut: bool = False
    """An answer broke off, and the conversation may wait for its end until it is late."""

    async def sign_in(self) -> None:
        given = {"email": self.email, "password": PASSWORD}
        done = await self.client.post("/api/auth/sign-in", json=given)
        assert done.status_code == 200, done.text
        self.client.headers["X-CSRF-Token"] = done.json()["csrf_token"]
        made = await self.client.post("/api/conversations", json={})
        assert made.status_code == 201, made.text
        self.conversation = made.json()["id"]

    async def ask(self, what: str, send: Callable[[], Awaitable[httpx2.Response]]) -> None:
        """One request that must succeed."""
        self.noticed.in_flight += 1
        began = monotonic()
        try:
            try:
                answer = await send()
            except CLOSED:
                # A proxy that reads its configuration anew closes connections that it kept. Who
                # sends in that moment gets nothing: browsers send it again, once.
                answer = await send()
            if answer.status_code >= 400:
                self.noticed.failed.append((began, what, f"{answer.status_code} {answer.text}"))
        except httpx2.HTTPError as error:
            self.noticed.failed.append((began, what, repr(error)))
        finally:
            self.noticed.in_flight -= 1
            self.noticed.requests[what] += 1
            self.noticed.slowest = max(self.noticed.slowest, monotonic() - began)

    async def chat(self) -> str:
        """One question, and what was streamed; one that ends without `done` was cut."""
        path = f"/api/conversations/{self.conversation}/messages"
        seen = ""
        try:
            async with self.client.stream("POST", path, json={"text": "What is new?"}) as answer:
                async for piece in answer.aiter_text():
                    seen += piece
        except httpx2.HTTPError:
            pass
        self.noticed.requests["chat"] += 1
        if "event: done" not in seen:
            self.noticed.streams_cut += 1
            self.was_cut = True
        return seen

    async def live(
        self, number: int, stop: asyncio.Event, pause: float, between_chats: float
    ) -> None:
        """Look around at an even pace, and ask the model now and then."""
        await asyncio.sleep(pause * (number % 20) / 20)
        chat_at = monotonic() + between_chats * (number % 40) / 40
        while not stop.is_set():
            if monotonic() >= chat_at:
                chat_at += between_chats
                await self.chat()
            await self.ask("profile", lambda: self.client.get("/api/me"))
            await self.ask("conversations", lambda: self.client.get("/api/conversations"))
            await self.ask(
                "rename",
                lambda: self.client.patch(
                    f"/api/conversations/{self.conversation}", json={"title": "A title"}
                ),
            )
            await asyncio.sleep(pause)

    async def upload(self, number: int) -> str:
        """A document; its number."""
        text = "\n\n".join(f"Document {number}, part {part}. " + "Word. " * 60 for part in range(8))
        file = {"file": (f"notes-{number}.txt", text.encode(), "text/plain")}
        made = await self.client.post("/api/documents", files=file)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])


def browser(url: str, authority: str) -> httpx2.AsyncClient:
    trusted = ssl.create_default_context(cafile=authority)
    return httpx2.AsyncClient(base_url=url, verify=trusted, headers=HEADERS, timeout=60)
