"""Uploading in a real browser: with progress, with a refusal, and through the real job."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx2
import pytest
from playwright.async_api import Browser, Page, expect

from app.access.forgery import SESSION_COOKIE
from app.documents import jobs
from tests.documents.conftest import A_PAGE, A_TABLE, TRAVEL
from tests.factories import make_user, sign_in

pytestmark = pytest.mark.browser


@pytest.fixture
async def page(chromium: Browser, live_server: str) -> AsyncIterator[Page]:
    async with httpx2.AsyncClient(verify=False) as client:
        await sign_in(client, await make_user(role="admin", password=False))
        token = client.cookies[SESSION_COOKIE]
    context = await chromium.new_context(base_url=live_server.replace("127.0.0.1", "localhost"))
    context.set_default_timeout(30_000)
    cookie = {"name": SESSION_COOKIE, "value": token, "domain": "localhost", "path": "/"}
    await context.add_cookies([cookie | {"secure": True}])
    opened, complaints = await context.new_page(), []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    await context.close()
    assert complaints == []


async def shot(page: Page, name: str) -> None:
    """To look at: DOCUMENT_SHOTS names a folder."""
    if folder := os.environ.get("DOCUMENT_SHOTS"):
        for width in (1280, 390):
            await page.set_viewport_size({"width": width, "height": 900})
            await page.wait_for_timeout(500)  # The navigation slides away.
            await page.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True)
        await page.set_viewport_size({"width": 1280, "height": 900})


async def choose(page: Page, name: str, data: bytes, *, who: str = "Only you") -> None:
    await page.goto("/documents")
    await page.get_by_role("button", name="Upload").first.click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label(who).check()
    await dialog.get_by_label("File", exact=True).set_input_files(
        [{"name": name, "mimeType": "", "buffer": data}]
    )
    await shot(page, "upload")
    await dialog.get_by_role("button", name="Upload").click()


async def read(page: Page) -> None:
    """What the worker does."""
    await page.wait_for_url("**/documents/*-*")
    await jobs.index(UUID(page.url.rpartition("/")[2]))


async def test_a_file_of_several_megabytes_is_uploaded_and_becomes_ready_by_itself(page: Page):
    large = A_PAGE.replace("<body>", f"<body><!-- {'x' * 3_000_000} -->").encode()
    await choose(page, "rules.html", large, who="Everyone")
    await page.wait_for_url("**/documents/*-*")
    await expect(page.get_by_text("It is being read.")).to_be_visible()
    await read(page)
    await expect(page.get_by_role("heading", name="What was read")).to_be_visible()
    await page.reload()
    await expect(page.get_by_text("thirty days").first).to_be_visible()
    await shot(page, "document")


async def test_a_refusal_is_shown_in_the_dialog_and_another_file_can_be_chosen(page: Page):
    await choose(page, "a.txt", b"MZ\x90\x00")
    alert = page.get_by_role("dialog").get_by_role("alert")
    await expect(alert).to_contain_text("is not what its name says")
    await shot(page, "refused")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("File", exact=True).set_input_files(
        [{"name": "a.txt", "mimeType": "text/plain", "buffer": TRAVEL.encode()}]
    )
    await dialog.get_by_role("button", name="Upload").click()
    await page.wait_for_url("**/documents/*-*")


async def test_a_refusal_after_reading_the_list_and_the_figures(page: Page):
    await choose(page, "hotels.csv", A_TABLE.encode())
    await read(page)
    await page.reload()
    await shot(page, "table")
    await choose(page, "a.html", b"<html><body><script>x</script>Hello</body></html>")
    await read(page)
    await expect(page.get_by_text("This document was refused")).to_be_visible()
    await shot(page, "not-kept")
    await page.goto("/documents")
    await expect(page.get_by_role("row")).to_have_count(3)
    await shot(page, "list")
    await page.goto("/admin/documents")
    await expect(page.get_by_text("scripts or actions").first).to_be_visible()
    await shot(page, "quality")
    # Nothing stands out of the page on a phone.
    await page.set_viewport_size({"width": 390, "height": 800})
    for address in ("/documents", "/admin/documents"):
        await page.goto(address)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
