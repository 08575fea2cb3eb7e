"""Ask a ClamAV daemon about a file while it arrives, by its INSTREAM command.

What it says is known before the last byte is handed on, so nothing that it finds is ever kept. No
answer is no yes: then nothing is taken. clamd calls what is larger than its own limits clean, so
`StreamMaxLength`, `MaxFileSize` and `MaxScanSize` must not be below DOCUMENTS_LARGEST_BYTES.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager, suppress

from yarl import URL

from app.core.errors import Unavailable
from app.core.logging import log
from app.core.outside import declared
from app.documents.reasons import FileRefused
from app.documents.settings import DocumentsSettings

PIECE = 65_536
LONGEST_ANSWER = 4096


class ScannerUnavailable(Unavailable):
    """The scanner gave no clear answer."""

    def __init__(self) -> None:
        super().__init__(
            "The file could not be checked for viruses, so it was not taken. Try again in a few"
            " minutes, and tell whoever runs this app if it stays so.",
            retry_after=60,
        )


class VirusFound(FileRefused):
    def __init__(self, name: str) -> None:
        super().__init__("virus")
        self.found = name


async def scanned(chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """The same chunks; ends only when nothing was found. `VirusFound`, `ScannerUnavailable`."""
    if not DocumentsSettings.load().scanner_url:
        async for chunk in chunks:
            yield chunk
        return
    async with _asked("INSTREAM") as (reader, writer):
        async for chunk in chunks:
            for start in range(0, len(chunk), PIECE):
                piece = chunk[start : start + PIECE]
                await _send(reader, writer, len(piece).to_bytes(4, "big") + piece)
            yield chunk
        await _send(reader, writer, bytes(4))
        said = await _answer(reader)
    if said.endswith(" FOUND"):
        raise VirusFound(said.removeprefix("stream: ").removesuffix(" FOUND")[:200])
    if said != "stream: OK":
        raise _unavailable(said)


async def check() -> None:
    """Raise when there is a scanner and it does not answer."""
    if DocumentsSettings.load().scanner_url:
        async with _asked("PING") as (reader, _):
            if (said := await _answer(reader)) != "PONG":
                raise _unavailable(said)


@asynccontextmanager
async def _asked(
    command: str,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    settings = DocumentsSettings.load()
    url = URL(settings.scanner_url)
    try:
        async with asyncio.timeout(settings.scanner_seconds):
            if url.scheme == "unix":
                reader, writer = await asyncio.open_unix_connection(url.path)
            elif declared(settings.scanner_url, settings.outside()):
                reader, writer = await asyncio.open_connection(url.host, url.port)
            else:
                raise OSError("not declared")
    except (OSError, TimeoutError) as error:
        raise _unavailable(type(error).__name__) from error
    try:
        await _send(reader, writer, f"z{command}\0".encode())
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                await writer.wait_closed()


async def _send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> None:
    try:
        writer.write(data)
        async with asyncio.timeout(DocumentsSettings.load().scanner_seconds):
            await writer.drain()
    except TimeoutError as error:
        raise _unavailable("takes no more") from error
    except OSError as error:
        # It says why it hangs up, such as that the file is larger than it takes.
        raise _unavailable(await _answer(reader)) from error


async def _answer(reader: asyncio.StreamReader) -> str:
    try:
        async with asyncio.timeout(DocumentsSettings.load().scanner_seconds):
            said = await reader.readuntil(b"\0")
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError, TimeoutError) as error:
        raise _unavailable(type(error).__name__) from error
    return said[:-1][:LONGEST_ANSWER].decode("utf-8", "replace").strip()


def _unavailable(why: str) -> ScannerUnavailable:
    log.error("documents.scanner_unavailable", why=why[:200])
    return ScannerUnavailable()
