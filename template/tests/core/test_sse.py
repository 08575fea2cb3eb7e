import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI

from app.core import problems, sse
from app.core.errors import Conflict
from app.core.sse import Event, EventStream

Events = AsyncGenerator[Event, None]


class AlreadyThere(Conflict):
    pass


@asynccontextmanager
async def serving(events: Callable[[], Events]) -> AsyncIterator[int]:
    """The port of a real server that answers with these events."""
    app = FastAPI()
    problems.install(app)

    @app.post("/")
    async def answer() -> EventStream:
        return EventStream(events())

    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        log_config=None,
        lifespan="off",
        # Whatever is still open when the test is over gets cancelled at once.
        timeout_graceful_shutdown=0,
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await running


@asynccontextmanager
async def reading(events: Callable[[], Events]) -> AsyncIterator[httpx2.Response]:
    """The answer, while it comes."""
    async with (
        serving(events) as port,
        httpx2.AsyncClient(timeout=30, verify=False) as client,
        client.stream("POST", f"http://127.0.0.1:{port}/") as response,
    ):
        yield response


async def lines_of(events: Callable[[], Events]) -> list[str]:
    async with reading(events) as response:
        return [line async for line in response.aiter_lines()]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


async def test_events_are_written_as_the_standard_says():
    async def events() -> Events:
        yield "delta", {"text": "Two\r\nlines, naïve"}
        yield "done", {}

    assert await lines_of(events) == [
        "event: delta",
        'data: {"text":"Two\\r\\nlines, naïve"}',
        "",
        "event: done",
        "data: {}",
        "",
    ]


async def test_no_proxy_may_hold_an_event_back():
    async def events() -> Events:
        yield "done", {}

    async with reading(events) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["x-accel-buffering"] == "no"
        assert "no-transform" in response.headers["cache-control"]
        assert "content-length" not in response.headers


async def test_an_event_is_there_before_the_next_one_is_made():
    read = asyncio.Event()

    async def events() -> Events:
        yield "first", 1
        await read.wait()
        yield "second", 2

    seen = []
    async with reading(events) as response:
        async for line in response.aiter_lines():
            seen.append(line)
            if line == "data: 1":
                read.set()
    assert "data: 2" in seen


async def test_what_fails_before_the_first_event_has_a_status_of_its_own():
    async def events() -> Events:
        raise AlreadyThere("It is there already.")
        yield "never", None

    async with reading(events) as response:
        assert response.status_code == 409
        assert (await response.aread()).find(b'"/problems/already-there"') > 0


async def test_what_fails_later_is_an_event_that_gives_no_internals_away():
    async def events() -> Events:
        yield "delta", {"text": "Well"}
        raise RuntimeError("the password is hunter2")

    lines = await lines_of(events)
    assert lines[3] == "event: error"
    assert '"status":500' in lines[4]
    assert "hunter2" not in "".join(lines)


async def test_a_long_silence_is_broken_by_comments(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sse, "HEARTBEAT_SECONDS", 0.05)

    lines: list[str] = []

    def heard() -> int:
        return sum(line.startswith(":") for line in lines)

    async def events() -> Events:
        await until(lambda: heard() >= 2)
        before = heard()
        yield "done", {}
        await until(lambda: heard() >= before + 2)

    async with reading(events) as response:
        async for line in response.aiter_lines():
            lines.append(line)  # noqa: PERF401 — counted while they come
    assert lines[0].startswith(":")
    assert "event: done" in lines


async def test_a_problem_after_a_silence_is_an_event(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sse, "HEARTBEAT_SECONDS", 0.05)

    async def events() -> Events:
        await asyncio.sleep(0.2)
        raise AlreadyThere("It is there already.")
        yield "never", None

    lines = await lines_of(events)
    assert "event: error" in lines
    assert '"status":409' in lines[lines.index("event: error") + 1]


@pytest.mark.parametrize("words_before_it_leaves", [0, 1])
async def test_when_the_reader_leaves_the_generator_may_still_store_what_it_has(
    words_before_it_leaves: int,
):
    stored: list[str] = []
    began = asyncio.Event()

    async def events() -> Events:
        began.set()
        try:
            for _ in range(words_before_it_leaves):
                yield "delta", "a word"
            await asyncio.sleep(60)
            yield "delta", "never"
        finally:
            await asyncio.sleep(0.05)
            stored.append("kept")

    if words_before_it_leaves:
        async with reading(events) as response:
            await anext(response.aiter_lines())
            await response.aclose()
            await until(lambda: bool(stored))
    else:
        waiting = asyncio.create_task(lines_of(events))
        await began.wait()
        waiting.cancel()
        await asyncio.wait({waiting})
        await until(lambda: bool(stored))
    assert stored == ["kept"]


async def test_a_reader_that_leaves_while_words_flow_ends_them():
    made = 0
    stored: list[int] = []

    async def events() -> Events:
        nonlocal made
        try:
            while True:
                made += 1
                yield "delta", made
                await asyncio.sleep(0)
        finally:
            stored.append(made)

    async with reading(events) as response:
        await anext(response.aiter_lines())
        await response.aclose()
        await until(lambda: bool(stored))
    assert stored == [made]


async def test_a_reader_that_stands_still_holds_the_writer_back():
    made = 0

    async def events() -> Events:
        nonlocal made
        while made < 5000:
            made += 1
            yield "delta", "x" * 10_000

    async with serving(events) as port:
        with socket.create_connection(("127.0.0.1", port)) as reader:
            reader.sendall(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n")
            made_meanwhile = -1
            while made_meanwhile != made or not made:
                made_meanwhile = made
                await asyncio.sleep(0.3)
    assert 0 < made_meanwhile < 2500, "50 MB were made for someone who reads none of it"


async def test_a_server_that_stops_lets_its_streams_store_what_they_have():
    stored: list[str] = []

    async def events() -> Events:
        try:
            yield "delta", "a word"
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)
            stored.append("kept")

    async with serving(events) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(b"a word")
    await sse.drain()
    assert stored == ["kept"]
    writer.close()
