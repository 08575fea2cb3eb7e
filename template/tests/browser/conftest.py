"""The app as `make dev` runs it, and a browser in front of it."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import Browser, ConsoleMessage, Page

from app.core import database_roles, embedded
from tests.conftest import ROOT, free_port

# Whatever this project's answers and this clone's .env say, the way is the same.
SETTINGS = {
    "APP_ENV": "development",
    "LLM_PROVIDER": "stand_in",
    "MAIL_BACKEND": "inbox",
    "SESSION_SECOND_FACTOR": "optional",
    "SIGN_UP_MODE": "invitation",
}


@pytest.fixture
async def dev_server(database: embedded.Urls, tmp_path: Path) -> AsyncIterator[str]:
    """`app dev` in a process of its own, on a database that nobody has used."""
    name = f"test_{os.getpid()}_{secrets.token_hex(3)}"
    database_roles.create_database(database.admin, name)
    urls = database.of(name)
    port = free_port()
    address = f"http://localhost:{port}"
    own = {"DATABASE_URL": urls.app, "DATABASE_OWNER_URL": urls.owner, "PUBLIC_URL": address}
    log = tmp_path / "app.log"
    with log.open("wb") as file:
        server = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "dev", "--no-reload", "--port", str(port)],
            cwd=ROOT,
            env=os.environ | SETTINGS | own,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        await _answering(address, server, log)
        yield address
        server.send_signal(signal.SIGINT)
        server.wait(60)
    finally:
        server.kill()
        server.wait()
        database_roles.drop_database(database.admin, name)
    told = log.read_text(encoding="utf-8")
    assert told.endswith("Stopped.\n"), told
    assert not [line for line in told.splitlines() if "[error" in line or "[warning" in line]


async def _answering(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    async with asyncio.timeout(180), httpx2.AsyncClient(base_url=address) as client:
        while True:
            assert server.poll() is None, log.read_text(encoding="utf-8")
            try:
                (await client.get("/health/ready")).raise_for_status()
            except httpx2.HTTPError:
                await asyncio.sleep(0.1)
            else:
                return


@pytest.fixture
async def open_page(chromium: Browser) -> AsyncIterator[Callable[..., Awaitable[Page]]]:
    """`page = await open_page(address)`: a browser of one's own. Its complaints fail the test.

    What the content security policy refuses is an error on the console, as is a failed request.
    """
    complaints: list[str] = []
    contexts = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(f"{message.text} ({message.location['url']})")

    async def open_page(address: str, **options: object) -> Page:
        context = await chromium.new_context(base_url=address, **options)
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = await context.new_page()
        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert complaints == []
