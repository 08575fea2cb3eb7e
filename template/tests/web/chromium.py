"""A browser of this machine, which the tests of a process share."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright, expect

# First the one without windows: the same engine, and two thirds of the time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)


@asynccontextmanager
async def running() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        # A check that never runs where it counts would pass for ever.
        (pytest.fail if os.environ.get("CI") else pytest.skip)("No chromium on PATH.")
    expect.set_options(timeout=30_000)  # slow machines do come to what is expected, too
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        await browser.close()
