"""A model provider on a real socket that misbehaves when told to, and the wire that it speaks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import orjson

from tests.llm.behaviour import WORDS, Behaviour, Received
from tests.llm.dialects import Wire, openai

__all__ = ["WORDS", "Behaviour", "Received", "WireServer", "running"]


class WireServer:
    def __init__(self, wire: Wire | None = None) -> None:
        self.wire = wire or openai.Dialect()
        self.behaviour = Behaviour()
        self.choose: Callable[[Received], Behaviour] = lambda _: self.behaviour
        self.requests: list[Received] = []
        self.bytes_received = 0
        self.connections = 0
        self.at_once = self.most_at_once = 0
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
        request = Received(first.split(" ")[1], headers, _read(body), body)
        if reply := getattr(self.wire, "aside", lambda _: None)(request):
            writer.write(_head(Behaviour(), "application/json", len(reply)) + reply)
            await writer.drain()
            return
        self.requests.append(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self._obey(self.choose(request), request, reader, writer)
        finally:
            self.at_once -= 1

    async def _obey(
        self,
        wanted: Behaviour,
        request: Received,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if wanted.silent:
            await reader.read()  # Until the client gives up.
            self.aborted.set()
            raise _Cut
        if wanted.status != 200 or not self.wire.streams(request):
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
        refused = wanted.status != 200 or wanted.error is not None
        said = wanted.error if refused else self.wire.whole(wanted, request)
        text = said if isinstance(said, bytes) else orjson.dumps(said)
        if wanted.hold is not None:
            await wanted.hold.wait()
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
        writer.write(_head(wanted, wanted.content_type or self.wire.stream_type))
        if wanted.hold is not None and not wanted.hold_after:
            await wanted.hold.wait()
        start = asyncio.get_running_loop().time() + wanted.first_after
        if wanted.comments:
            await self._send(wanted, writer, b": keep-alive\n\n")
        for event in self.wire.opening(wanted, request):
            await self._send(wanted, writer, event)
        for number, word in enumerate(wanted.words):
            wait = start + number * wanted.gap - asyncio.get_running_loop().time()
            if wait > 0:
                await asyncio.sleep(wait)
            if wanted.hold is not None and number == wanted.hold_after:
                await wanted.hold.wait()
            if reader.at_eof():
                self.aborted.set()
                raise _Cut
            if number == wanted.cut_after:
                writer.transport.abort()
                raise _Cut
            if number == wanted.hang_after:
                await reader.read()
                self.aborted.set()
                raise _Cut
            if number == wanted.garbage_after:
                await self._send(wanted, writer, self.wire.garbage)
            if number == wanted.error_after:
                await self._send(wanted, writer, self.wire.broken(wanted))
            if wanted.comments:
                await self._send(wanted, writer, b": keep-alive\nevent: message\nid: 7\n")
            await self._send(wanted, writer, self.wire.word(wanted, request, number, word))
        called = self.wire.calls(wanted, request) if wanted.calls else []
        for number, event in enumerate(called):
            if wanted.cut_in_arguments and number == len(called) // 2:
                await asyncio.sleep(0.02)  # What was sent arrives first.
                writer.transport.abort()
                raise _Cut
            await self._send(wanted, writer, event)
        await asyncio.sleep(wanted.end_after)
        for event in self.wire.ending(wanted, request):
            await self._send(wanted, writer, event)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _send(self, wanted: Behaviour, writer: asyncio.StreamWriter, data: bytes) -> None:
        if wanted.line_end != "\n":
            data = data.replace(b"\n", wanted.line_end.encode())
        size = wanted.piece or len(data)
        for start in range(0, len(data), size):
            part = data[start : start + size]
            writer.write(b"%x\r\n%b\r\n" % (len(part), part))
            await writer.drain()
            if wanted.piece:
                # Long enough for the piece to arrive alone.
                await asyncio.sleep(0)


def _read(body: bytes) -> dict:
    try:
        return orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        return {}


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
async def running(wire: Wire | None = None) -> AsyncIterator[WireServer]:
    provider = WireServer(wire)
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
