"""A model provider on a real socket that speaks OpenAI's wire, and misbehaves when told to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

WORDS = tuple(f"word{number} " for number in range(10))


@dataclass
class Behaviour:
    """How to answer. The default is a well-behaved stream."""

    words: tuple[str, ...] = WORDS
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    error: Any = None
    """Body of an answer that is not 200."""
    content_type: str | None = None
    first_after: float = 0.0
    """Seconds before the first word."""
    gap: float = 0.0
    end_after: float = 0.0
    """Seconds from the last word to the end."""
    usage: Any = "honest"
    """`honest`, None for none, or what to say instead."""
    finish: str | None = "stop"
    done: bool = True
    cut_after: int | None = None
    """Drop the connection after so many words."""
    garbage_after: int | None = None
    error_after: int | None = None
    line_end: str = "\n"
    comments: bool = False
    piece: int = 0
    """Send so many bytes at a time; 0 sends each event whole."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Further fields of each piece of the answer."""
    silent: bool = False
    """Take the request and never answer."""


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class WireServer:
    def __init__(self) -> None:
        self.behaviour = Behaviour()
        self.choose: Callable[[Received], Behaviour] = lambda _: self.behaviour
        self.requests: list[Received] = []
        self.bytes_received = 0
        self.connections = 0
        self.aborted = asyncio.Event()
        """Set when a client left before its answer was complete."""
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, _Cut):
            pass
        finally:
            writer.close()

    async def _answer(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.bytes_received += len(head) + len(body)
        request = Received(first.split(" ")[1], headers, orjson.loads(body or b"{}"))
        self.requests.append(request)
        wanted = self.choose(request)
        if wanted.silent:
            await reader.read()  # Until the client gives up.
            self.aborted.set()
            raise _Cut
        if wanted.status != 200 or not request.body.get("stream"):
            await self._whole(wanted, request, writer)
            return
        try:
            await self._stream(wanted, request, reader, writer)
        except ConnectionError:
            self.aborted.set()
            raise

    async def _whole(
        self, wanted: Behaviour, request: Received, writer: asyncio.StreamWriter
    ) -> None:
        if wanted.status != 200:
            text = wanted.error if isinstance(wanted.error, bytes) else orjson.dumps(wanted.error)
        else:
            message = {"role": "assistant", "content": "".join(wanted.words), **wanted.extra}
            text = orjson.dumps(
                {
                    "model": request.body["model"],
                    "choices": [{"index": 0, "message": message, "finish_reason": wanted.finish}],
                    "usage": self._usage(wanted),
                }
            )
        await asyncio.sleep(wanted.first_after)
        writer.write(_head(wanted, wanted.content_type or "application/json", len(text)) + text)
        await writer.drain()

    async def _stream(
        self,
        wanted: Behaviour,
        request: Received,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        writer.write(_head(wanted, wanted.content_type or "text/event-stream"))
        start = asyncio.get_running_loop().time() + wanted.first_after
        if wanted.comments:
            await self._send(wanted, writer, ": keep-alive\n\n")
        for number, word in enumerate(wanted.words):
            wait = start + number * wanted.gap - asyncio.get_running_loop().time()
            if wait > 0:
                await asyncio.sleep(wait)
            if reader.at_eof():
                self.aborted.set()
                raise _Cut
            if number == wanted.cut_after:
                writer.transport.abort()
                raise _Cut
            if number == wanted.garbage_after:
                await self._send(wanted, writer, 'data: {"choices": [{"del\n\n')
            if number == wanted.error_after:
                await self._event(wanted, writer, {"error": {"message": "secret details"}})
            if wanted.comments:
                await self._send(wanted, writer, ": keep-alive\nevent: message\nid: 7\n")
            delta = {"content": word, **wanted.extra}
            if number == 0:
                delta["role"] = "assistant"
            await self._event(wanted, writer, self._chunk(request, delta))
        await asyncio.sleep(wanted.end_after)
        if wanted.finish:
            await self._event(wanted, writer, self._chunk(request, {}, wanted.finish))
        asked = (request.body.get("stream_options") or {}).get("include_usage")
        if asked and wanted.usage is not None:
            last = {"model": request.body["model"], "choices": [], "usage": self._usage(wanted)}
            await self._event(wanted, writer, last)
        if wanted.done:
            await self._send(wanted, writer, "data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    def _chunk(
        self, request: Received, delta: dict[str, Any], finish: str | None = None
    ) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "c-1", "model": request.body["model"], "choices": [choice]}

    def _usage(self, wanted: Behaviour) -> Any:
        if wanted.usage != "honest":
            return wanted.usage
        return {"prompt_tokens": 20, "completion_tokens": len(wanted.words)}

    async def _event(self, wanted: Behaviour, writer: asyncio.StreamWriter, data: Any) -> None:
        await self._send(wanted, writer, f"data: {orjson.dumps(data).decode()}\n\n")

    async def _send(self, wanted: Behaviour, writer: asyncio.StreamWriter, text: str) -> None:
        data = text.replace("\n", wanted.line_end).encode()
        size = wanted.piece or len(data)
        for start in range(0, len(data), size):
            part = data[start : start + size]
            writer.write(b"%x\r\n%b\r\n" % (len(part), part))
            await writer.drain()
            if wanted.piece:
                # Long enough for the piece to arrive alone.
                await asyncio.sleep(0)


class _Cut(Exception):
    """This connection has ended."""


def _head(wanted: Behaviour, kind: str, length: int | None = None) -> bytes:
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = [
        f"HTTP/1.1 {wanted.status} Whatever",
        f"Content-Type: {kind}",
        framing,
        *(f"{name}: {value}" for name, value in wanted.headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@asynccontextmanager
async def running() -> AsyncIterator[WireServer]:
    provider = WireServer()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        await provider.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    provider.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield provider
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
