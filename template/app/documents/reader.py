"""Reads a file in a process of its own, with limits on time and memory, and no secrets."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterable
from contextlib import suppress
from functools import cache
from typing import Any

import orjson

from app.core.logging import log
from app.core.settings import ROOT
from app.documents.reading.content import Block, Content, Refused
from app.documents.settings import DocumentsSettings

MOST_ANSWER = 64 * 1024 * 1024
# Starting the interpreter is not the file's fault.
SECONDS_TO_START = 10
# What ends a worker and all that it has started, such as Ctrl-C.
FROM_OUTSIDE = {-signal.SIGHUP, -signal.SIGINT, -signal.SIGTERM}


class ReaderEnded(Exception):
    """Somebody ended the process that reads: that says nothing about the file."""


async def read(kind: str, chunks: AsyncIterable[bytes]) -> Content:
    """What is in a file. Raises `Refused` with the reason why it is not read, or `ReaderEnded`."""
    settings = DocumentsSettings.load()
    async with slot():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-c", program("child", "main"), kind,
            str(settings.reading_megabytes), str(settings.reading_seconds),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
            limit=1_048_576,
            start_new_session=True,  # What is typed into the worker's terminal does not end it.
        )  # fmt: skip
        reading = asyncio.create_task(_all(process))
        try:
            async with asyncio.timeout(settings.reading_seconds + SECONDS_TO_START):
                await give(process, chunks)
                said = await reading
                await process.wait()
        except TimeoutError:
            raise Refused("took_too_long") from None
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await end(process)
    return _told(said, process.returncode or 0, kind)


def program(module: str, function: str) -> str:
    """With -I nothing but the standard library is in reach: the app's own folder is added."""
    return (
        f"import sys; sys.path.insert(0, {str(ROOT)!r});"
        f" from app.documents.reading.{module} import {function}; {function}()"
    )


def slot() -> asyncio.Semaphore:
    """So many files are read at the same time."""
    return _slots(DocumentsSettings.load().readers, asyncio.get_running_loop())


async def give(process: asyncio.subprocess.Process, chunks: AsyncIterable[bytes]) -> None:
    assert process.stdin is not None
    # A process that has refused already reads no further.
    with suppress(BrokenPipeError, ConnectionResetError):
        async for chunk in chunks:
            process.stdin.write(chunk)
            await process.stdin.drain()
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.close()


async def end(process: asyncio.subprocess.Process) -> None:
    """Kill it, and read what it left: asyncio waits for ever for one whose pipe is still full."""
    assert process.stdout is not None
    with suppress(ProcessLookupError):
        process.kill()
    while await process.stdout.read(1_048_576):
        pass
    await process.wait()


async def _all(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    parts, size = [], 0
    while part := await process.stdout.read(1_048_576):
        parts.append(part)
        size += len(part)
        if size > MOST_ANSWER:
            process.kill()
            raise Refused("too_much_text")
    return b"".join(parts)


def _told(said: bytes, code: int, kind: str) -> Content:
    if code in FROM_OUTSIDE:
        raise ReaderEnded
    if code or not said:
        # Killed by a limit, or by a fault in a library: both are the file's doing.
        log.warning("documents.reader_ended", code=code, kind=kind)
        raise Refused({-24: "took_too_long", -9: "took_too_much_memory"}.get(code, "damaged"))
    answer: dict[str, Any] = orjson.loads(said)
    if reason := answer.get("reason"):
        raise Refused(reason)
    return Content([Block(**one) for one in answer["blocks"]], answer["notes"])


@cache
def _slots(count: int, _: asyncio.AbstractEventLoop) -> asyncio.Semaphore:
    return asyncio.Semaphore(count)
