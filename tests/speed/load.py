"""A small closed-loop load client for servers on this machine: keep-alive HTTP/1.1 and SSE.

Prints one JSON object. A stream's first token is the first `data:` line whose text is not empty.
"""

import argparse
import asyncio
import json
import sys
from time import perf_counter
from urllib.parse import urlsplit

import httptools
import uvloop

FIRST = b'"text":"'
BESIDE_SECONDS = 0.05


class Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        if self.marker and self.first is None:
            self.seen += body
            if self.marker in self.seen:
                self.first = perf_counter()

    def on_message_complete(self) -> None:
        # Asked here: afterwards the parser knows no answer any more, and says no.
        self.stays = self.parser.should_keep_alive()
        if not self.done.done():
            self.done.set_result(self.parser.get_status_code())

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("closed"))

    async def ask(self, request: bytes, marker: bytes) -> int:
        self.done = asyncio.get_running_loop().create_future()
        self.parser = httptools.HttpResponseParser(self)
        self.marker, self.first, self.seen = marker, None, b""
        self.transport.write(request)
        return await self.done


def request_for(url: str, method: str, headers: list[str], body: str) -> bytes:
    parts = urlsplit(url)
    lines = [f"{method} {parts.path} HTTP/1.1", f"Host: {parts.netloc}", *headers]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body.encode())}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body.encode()


async def run(options: argparse.Namespace) -> dict[str, object]:
    parts = urlsplit(options.url)
    if parts.hostname not in {"127.0.0.1", "localhost"}:
        sys.exit("Only servers on this machine.")
    targets = json.loads(sys.stdin.read()) if options.targets else [[parts.path, options.body]]
    requests = [
        request_for(
            f"{parts.scheme}://{parts.netloc}{path}",
            options.method,
            # As many clients as there are bodies, told by a trusted proxy: each has its own limits.
            [*options.header, *headers, f"X-Forwarded-For: 10.0.{number // 250}.{number % 250}"],
            body,
        )
        for number, (path, body, *headers) in enumerate(targets)
    ]
    times, firsts, codes = [], [], {}
    loop, end = asyncio.get_running_loop(), perf_counter() + options.seconds
    left = options.count

    async def one(number: int) -> None:
        nonlocal left
        turn, connection = number, None
        while perf_counter() < end and left > 0:
            left -= 1
            if connection is None or connection.transport.is_closing():
                _, connection = await loop.create_connection(Connection, parts.hostname, parts.port)
            start = perf_counter()
            code = await connection.ask(
                requests[turn % len(requests)], FIRST if options.stream else b""
            )
            turn += options.concurrency
            codes[code] = codes.get(code, 0) + 1
            if code < 300:
                times.append(perf_counter() - start)
                if connection.first:
                    firsts.append(connection.first - start)
            if not connection.stays:
                connection.transport.close()

    async def beside() -> None:
        request = request_for(f"{parts.scheme}://{parts.netloc}{options.beside}", "GET", [], "")
        _, connection = await loop.create_connection(Connection, parts.hostname, parts.port)
        while perf_counter() < end:
            start = perf_counter()
            await connection.ask(request, b"")
            besides.append(perf_counter() - start)
            await asyncio.sleep(BESIDE_SECONDS)

    besides: list[float] = []
    others = asyncio.create_task(beside()) if options.beside else None
    start = perf_counter()
    await asyncio.gather(*(one(number) for number in range(options.concurrency)))
    seconds = perf_counter() - start
    if others:
        await others
    return {
        "seconds": seconds,
        "codes": codes,
        "per_second": len(times) / seconds,
        "ms": spread(times),
        "beside_ms": spread(besides),
        "first_ms": spread(firsts),
    }


def spread(values: list[float]) -> dict[str, float]:
    found = sorted(values)
    if not found:
        return {}
    at = lambda share: round(found[min(len(found) - 1, int(share * len(found)))] * 1000, 2)  # noqa: E731
    return {"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": at(1)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--method", default="GET")
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--body", default="")
    parser.add_argument(
        "--targets",
        action="store_true",
        help="Standard input: a JSON list of [path, body], in turn.",
    )
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--count", type=int, default=10**9)
    parser.add_argument("--beside", default="", help="A path that one more client asks for.")
    parser.add_argument("--stream", action="store_true")
    print(json.dumps(uvloop.run(run(parser.parse_args()))))
