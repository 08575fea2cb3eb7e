"""The way in for background jobs: `app worker`."""

import asyncio
import signal
from collections.abc import Sequence

from app.core import db, logging
from app.core.settings import refuse_unsafe
from app.jobs.worker import work
from app.telemetry.listener import listening
from app.telemetry.log_lines import lines_sent
from app.telemetry.tracing import traced
from app.usage import prices


async def run(*, queues: Sequence[str] = (), concurrency: int | None = None) -> None:
    """Run jobs until SIGTERM or SIGINT; then finish those that run, or give them back."""
    logging.configure()
    refuse_unsafe()
    prices.check()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        async with traced(), lines_sent(), listening():
            await work(stop, queues=queues, concurrency=concurrency)
    finally:
        await db.close()
