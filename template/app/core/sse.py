"""Server-sent events: an answer that grows while it is read.

    async def events() -> AsyncGenerator[Event, None]:
        yield "delta", {"text": "Hello"}

    return EventStream(events())

What is raised before the first event is answered like any problem, with a status of its own. Later
only an `error` event can tell. When the reader goes away the generator is cancelled where it waits,
once, so that its `finally` can still store what there is.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.core.logging import request_id
from app.core.metrics import Gauge
from app.core.problems import as_problem

Event = tuple[str, object]
"""The event's name and its data, which is sent as JSON."""

HEARTBEAT_SECONDS = 15.0
"""Half of the shortest pause after which usual proxies give a silent connection up."""
HEARTBEAT = b": still here\n\n"
LONGEST_GOODBYE = 10.0

_open: set[asyncio.Task[None]] = set()
Gauge("app_streams_open", "Answers that are being streamed.", read=lambda: len(_open))


async def drain() -> None:
    """When the server stops: let the streams that it has cancelled store what they have."""
    if _open:
        await asyncio.wait(_open, timeout=LONGEST_GOODBYE)


class EventStream(Response):
    """Sends the events as they come; closes the generator in every case."""

    media_type = "text/event-stream"

    # FastAPI reads the status from the signature when it describes a route.
    def __init__(self, events: AsyncGenerator[Event, None], status_code: int = 200) -> None:
        self.status_code = status_code
        self.background = None
        self.events = events
        self.init_headers(
            {
                # A proxy that compresses or buffers would hold back what is written word by word.
                "cache-control": "no-store, no-transform",
                "x-accel-buffering": "no",
            }
        )
        self._started = False
        self._sent_at = 0.0
        self._writing = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["streams"] = True
        # Tasks of asyncio's own: a scope of anyio would cancel the generator's `finally` as well.
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_left(receive))
        _open.add(sending)
        sending.add_done_callback(_open.discard)
        try:
            await self._beat({sending, leaving}, send)
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.wait({sending, leaving})
        if not sending.cancelled():
            sending.result()

    async def _send(self, send: Send) -> None:
        async with aclosing(self.events):
            try:
                async for name, data in self.events:
                    await self._write(send, encoded(name, data))
            except Exception as error:
                if not self._started:
                    raise
                problem = as_problem(error).document() | {"request_id": request_id.get()}
                await self._write(send, encoded("error", problem))
        await self._write(send, b"", more=False)

    async def _beat(self, tasks: set[asyncio.Task[None]], send: Send) -> None:
        """Wait until the stream ended or the reader left; break long silences."""
        clock = asyncio.get_running_loop().time
        while True:
            ended, _ = await asyncio.wait(
                tasks, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if ended:
                return
            if clock() - self._sent_at >= HEARTBEAT_SECONDS:
                await self._write(send, HEARTBEAT)

    async def _write(self, send: Send, body: bytes, *, more: bool = True) -> None:
        async with self._writing:
            if not self._started:
                self._started = True
                await send(
                    {
                        "type": "http.response.start",
                        "status": self.status_code,
                        "headers": self.raw_headers,
                    }
                )
            self._sent_at = asyncio.get_running_loop().time()
            await send({"type": "http.response.body", "body": body, "more_body": more})


def encoded(name: str, data: object) -> bytes:
    # JSON escapes line ends, so the data is one line.
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(data, default=str))


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
