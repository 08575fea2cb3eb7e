"""`GET /metrics` on a port of its own, for Prometheus and nobody else.

The web server's port is the one that the world may reach, and with several processes behind it a
reader would meet another one each time. So each process has a listener of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from hmac import compare_digest

from app.core.logging import log
from app.core.metrics import exposition
from app.telemetry import process, rows
from app.telemetry.settings import MetricsSettings

MOST_PROCESSES = 32
LONGEST_HEAD = 8192
HEAD_SECONDS = 5.0
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
FORMAT = "text/plain; version=0.0.4; charset=utf-8"


@asynccontextmanager
async def listening(*, of_rows: bool = True) -> AsyncIterator[int]:
    """Answer while the block runs; gives the port, 0 when the settings name none.

    Figures that stand in rows are told by every process that works on them, and by no other.
    """
    settings = MetricsSettings.load()
    if not settings.port:
        yield 0
        return
    answer = partial(_answer, of_rows)
    server, port = await _bound(answer, settings.host, settings.port)
    watching = asyncio.create_task(process.watch_the_loop())
    log.info("metrics.listening", port=port)
    try:
        yield port
    finally:
        server.close()
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _bound(answer: Answer, host: str, first: int) -> tuple[asyncio.Server, int]:
    """The first port that no other process of ours has."""
    for port in range(first, first + MOST_PROCESSES):
        try:
            return await asyncio.start_server(answer, host, port, limit=LONGEST_HEAD), port
        except OSError as error:
            last = error
    raise last


async def _answer(
    of_rows: bool, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One request for each connection."""
    try:
        async with asyncio.timeout(HEAD_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
        status, kind, body = await _found(head.decode("latin-1"), of_rows=of_rows)
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        writer.write(body)
        await writer.drain()
    except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass  # Whoever asks like that gets nothing.
    finally:
        writer.close()


async def _found(head: str, *, of_rows: bool) -> tuple[str, str, bytes]:
    first, *lines = head.split("\r\n")
    method, _, target = first.partition(" ")
    if method != "GET" or target.split(" ")[0].partition("?")[0] != "/metrics":
        return "404 Not Found", "text/plain", b""
    wanted = MetricsSettings.load().token.get_secret_value()
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    given = headers.get("authorization", "")
    if wanted and not compare_digest(given.encode(), f"Bearer {wanted}".encode()):
        return "401 Unauthorized", "text/plain", b""
    if of_rows:
        await rows.refresh()
    return "200 OK", FORMAT, exposition().encode()
