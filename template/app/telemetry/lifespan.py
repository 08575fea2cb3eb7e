"""Lets Prometheus read what the web process counts, and sends its traces and log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.telemetry.figures import figures_told
from app.telemetry.listener import listening
from app.telemetry.log_lines import lines_sent
from app.telemetry.tracing import traced


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    async with traced(), lines_sent(), listening(), figures_told():
        yield
