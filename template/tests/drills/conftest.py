"""The app as `make dev` runs it, in processes of their own, with something broken around it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest

from app.access.forgery import SESSION_COOKIE
from tests.asking import Browser
from tests.conftest import ROOT, free_port
from tests.factories import make_user, sign_in
from tests.llm.wire_server import WireServer, running

SKEWED = (
    "import os, datetime, app.core.clock as clock; true = clock.now\n"
    "clock.now = lambda: true() + datetime.timedelta(seconds=float(os.environ['CLOCK_AHEAD']))\n"
)
START = "from app.cli import main; import sys; sys.argv[0] = 'app'; main()"
Start = Callable[..., Awaitable[str]]


@pytest.fixture(autouse=True)
def told(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> None:
    """Say before it begins what is expected."""
    with capsys.disabled():
        print(f"\n{request.module.__doc__}", flush=True)


@pytest.fixture
async def provider() -> AsyncIterator[WireServer]:
    async with running() as server:
        yield server


@pytest.fixture
async def start(database: object, provider: WireServer, tmp_path: Path) -> AsyncIterator[Start]:
    """`address = await start()` runs `app dev` on this run's database; settings by name."""
    started: list[subprocess.Popen[bytes]] = []

    async def run(**settings: str) -> str:
        port = free_port()
        own = {
            "LLM_PROVIDER": "compatible",
            "LLM_BASE_URL": provider.url,
            "LLM_MODEL": "drill-1",
            "LLM_RETRY_SECONDS": "0.1",
            "PUBLIC_URL": "https://testserver",
        }
        script = (SKEWED if "CLOCK_AHEAD" in settings else "") + START
        log = tmp_path / f"app-{port}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-c", script, "dev", "--no-reload", "--port", str(port)],
                cwd=ROOT,
                env=os.environ | own | settings,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        started.append(process)
        address = f"http://127.0.0.1:{port}"
        async with asyncio.timeout(120), httpx2.AsyncClient(base_url=address) as client:
            while not await is_ready(client):
                assert process.poll() is None, log.read_text("utf-8")
                await asyncio.sleep(0.1)
        return address

    yield run
    for process in started:
        process.kill()
        process.wait()


async def is_ready(client: httpx2.AsyncClient) -> bool:
    try:
        return (await client.get("/health/ready", timeout=30)).status_code == 200
    except httpx2.TransportError:
        return False


Enter = Callable[..., Awaitable[Browser]]


@pytest.fixture
async def enter() -> AsyncIterator[Enter]:
    """`browser = await enter(address)`: someone who is signed in there; `whose` goes elsewhere."""
    async with AsyncExitStack() as stack:

        async def open_browser(address: str, whose: Browser | None = None) -> Browser:
            client = await stack.enter_async_context(
                httpx2.AsyncClient(base_url=address, timeout=60)
            )
            if whose is not None:
                client.headers.update(whose.client.headers)
                return Browser(client, whose.someone)
            someone = await make_user(password=False)
            await sign_in(client, someone)
            client.headers["Cookie"] = f"{SESSION_COOKIE}={client.cookies[SESSION_COOKIE]}"
            client.cookies.clear()
            return Browser(client, someone)

        yield open_browser


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 120) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.2)
