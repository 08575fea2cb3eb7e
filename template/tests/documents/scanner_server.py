"""ClamAV's wire protocol on loopback: reads INSTREAM as clamd does and answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Scanner:
    """What clamd does with the files that it is sent."""

    address: str = ""
    answer: bytes | None = b"stream: OK\0"
    """None: it never answers."""
    most: int = 10_000_000
    """More than this and it hangs up at once, as StreamMaxLength has it."""
    bytewise: bool = False
    hangs_up_after: int | None = None
    files: list[bytes] = field(default_factory=list)
    finds: Callable[[bytes], bytes | None] = lambda _: None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            command = await reader.readuntil(b"\0")
            if command == b"zPING\0":
                await self._say(writer, b"PONG\0")
            elif command == b"zINSTREAM\0":
                await self._stream(reader, writer)
            else:
                await self._say(writer, b"UNKNOWN COMMAND\0")
        writer.close()

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        file = b""
        while length := int.from_bytes(await reader.readexactly(4), "big"):
            if len(file) + length > self.most:
                return await self._say(writer, b"INSTREAM size limit exceeded. ERROR\0")
            file += await reader.readexactly(length)
            if self.hangs_up_after is not None and len(file) > self.hangs_up_after:
                return None
        self.files.append(file)
        if self.answer is None:
            await reader.read()  # until the other side gives up
            return None
        return await self._say(writer, self.finds(file) or self.answer)

    async def _say(self, writer: asyncio.StreamWriter, text: bytes) -> None:
        pieces = [text[at : at + 1] for at in range(len(text))] if self.bytewise else [text]
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)


@asynccontextmanager
async def scanner_server(path: str | None = None) -> AsyncIterator[Scanner]:
    made = Scanner()
    if path:
        server = await asyncio.start_unix_server(made.serve, path)
        made.address = f"unix://{path}"
    else:
        server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
        made.address = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
