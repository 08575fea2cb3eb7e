"""The loop that runs jobs, in a process of its own or beside the web server."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from procrastinate import App
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from sqlalchemy import text

from app.core.clock import now
from app.core.db import transaction
from app.core.logging import log
from app.jobs.queue import KINDS, RUNS, opened
from app.jobs.settings import JobsSettings

LONGEST_PAUSE = 30.0
# A job that took this many workers with it is the reason, not the victim.
DEATHS_ALLOWED = 3
RECOVERY_LOCK = 0x8081


class _AlreadyTold(logging.Filter):
    """`job.failed` says it; the library's own line repeats it with the arguments."""

    def filter(self, record: logging.LogRecord) -> bool:
        return getattr(record, "action", None) != "job_error"


logging.getLogger("procrastinate.worker").addFilter(_AlreadyTold())


async def work(
    stop: asyncio.Event, *, queues: Sequence[str] = (), concurrency: int | None = None
) -> None:
    """Run jobs until `stop` is set, through failures of the database. No queues named: all."""
    pause = 1.0
    while not stop.is_set():
        try:
            async with opened(scheduled=True) as app:
                log.info("worker.started", queues=list(queues) or "all")
                await _work(app, stop, queues, concurrency)
                pause = 1.0
        except (ConnectorException, OperationalError, PoolTimeout) as error:
            log.error("worker.lost_database", error=type(error).__name__, pause=pause)
        if not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
            pause = min(pause * 2, LONGEST_PAUSE)
    log.info("worker.stopped")


@asynccontextmanager
async def in_process_worker() -> AsyncIterator[None]:
    """A worker beside the web server while the block runs; nothing if JOBS_IN_PROCESS is off."""
    if not JobsSettings.load().in_process:
        yield
        return
    stop = asyncio.Event()
    running = asyncio.create_task(work(stop), name="worker")
    try:
        yield
    finally:
        stop.set()
        await running


async def _work(
    app: App, stop: asyncio.Event, queues: Sequence[str], concurrency: int | None
) -> None:
    settings = JobsSettings.load()
    running = asyncio.create_task(
        app.run_worker_async(
            queues=list(queues) or None,  # type: ignore[arg-type]
            concurrency=concurrency or settings.concurrency,
            fetch_job_polling_interval=settings.poll_seconds,
            shutdown_graceful_timeout=settings.shutdown_seconds,
            update_heartbeat_interval=settings.heartbeat_seconds,
            stalled_worker_timeout=settings.stalled_seconds,
            delete_jobs="successful",
            install_signal_handlers=False,
        )
    )
    stopping = asyncio.create_task(stop.wait())
    recovering = asyncio.create_task(_recover(app, settings.stalled_seconds))
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        recovering.cancel()
        stopping.cancel()
        running.cancel()  # The library takes this as a request to finish.
        results = await asyncio.gather(running, recovering, stopping, return_exceptions=True)
    if isinstance(error := results[0], Exception):
        raise error


async def _recover(app: App, stalled_seconds: float) -> None:
    """Look for the jobs of dead workers. Not a job itself: it would die and wait with the rest."""
    while True:
        try:
            await recover_stalled(app, stalled_seconds)
        except Exception as error:  # noqa: BLE001 the next round tries again
            log.warning("worker.recovery_failed", error=type(error).__name__)
        await asyncio.sleep(stalled_seconds / 2)


async def recover_stalled(app: App, stalled_seconds: float) -> None:
    """Give the jobs of workers that died to those that live."""
    async with transaction() as db:
        # One at a time: a second look could take a job from the worker that just got it.
        lock = text("SELECT pg_try_advisory_xact_lock(:key)")
        if not await db.scalar(lock, {"key": RECOVERY_LOCK}):
            return
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=stalled_seconds):
            with suppress(ConnectorException):  # It was slow, not dead, and has finished by now.
                await _give_back(app, job)


async def _give_back(app: App, job: Job) -> None:
    kind = KINDS.get(job.task_name)
    if job.attempts >= max(kind.retries if kind else 0, DEATHS_ALLOWED):
        log.error("job.failed", job=job.task_name, job_id=job.id, reason="its workers died")
        RUNS.add(job.task_name, "failed")
        await app.job_manager.finish_job(job, Status.FAILED, delete_job=False)
    else:
        log.warning("job.recovered", job=job.task_name, job_id=job.id)
        await app.job_manager.retry_job(job, retry_at=now())
