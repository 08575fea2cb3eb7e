import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
import uvicorn
from playwright.async_api import Browser, ConsoleMessage, Page

from tests.web import gallery


@pytest.fixture
async def pages() -> AsyncIterator[httpx2.AsyncClient]:
    """The gallery of components, asked over HTTP."""
    transport = httpx2.ASGITransport(app=gallery.app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://testserver") as client:
        yield client


@pytest.fixture(scope="session")
async def gallery_address(anyio_backend: str) -> AsyncIterator[str]:
    config = uvicorn.Config(
        gallery.app, host="127.0.0.1", port=0, log_config=None, lifespan="off", access_log=False
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await running


@pytest.fixture
async def page(chromium: Browser, gallery_address: str) -> AsyncIterator[Page]:
    """A browser of its own before the gallery. What it complains about fails the test."""
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        # A refused request is logged by the browser itself, and some tests want one.
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    context = await chromium.new_context(base_url=gallery_address)
    context.set_default_timeout(30_000)
    opened = await context.new_page()
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", listen)
    yield opened
    await context.close()
    assert complaints == []
