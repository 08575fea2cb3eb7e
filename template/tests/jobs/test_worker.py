import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from app.core import migrate
from app.core.db import transaction
from app.jobs import queue, service
from app.jobs.queue import enqueue
from app.jobs.worker import in_process_worker, recover_stalled, work
from tests.conftest import ROOT
from tests.jobs.sample_jobs import QUEUE, notes, scheduled

pytestmark = pytest.mark.dear

WORKER = """
import asyncio, tests.jobs.sample_jobs
from app import worker
asyncio.run(worker.run(queues=["sample"]))
"""


@asynccontextmanager
async def worker_process(**settings: str) -> AsyncIterator[Process]:
    quick = {
        "JOBS_POLL_SECONDS": "0.5",
        "JOBS_HEARTBEAT_SECONDS": "0.2",
        "JOBS_STALLED_SECONDS": "1",
    } | settings
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", WORKER),
        cwd=ROOT,
        env=os.environ | quick,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


async def add(name: str, **ids: object) -> int:
    async with transaction() as db:
        job_id = await enqueue(db, name, **ids)
    assert job_id
    return job_id


async def test_a_killed_worker_s_job_is_run_again_by_the_next(tmp_path, configure):
    path, go = tmp_path / "notes", tmp_path / "go"
    await add("sample.held", path=str(path), until=str(go))
    # On a busy machine a worker may seem dead for a second to itself, and begin its job again.
    async with worker_process(JOBS_STALLED_SECONDS="60") as first:
        await until(lambda: notes(path) == ["started"])
        first.kill()
        await first.wait()
    go.touch()

    configure(JOBS_POLL_SECONDS=0.5, JOBS_HEARTBEAT_SECONDS=0.2, JOBS_STALLED_SECONDS=1)
    async with worker_here():
        await until(lambda: len(notes(path)) == 3)

    assert notes(path) == ["started", "started", "finished"]


async def test_sigterm_lets_running_jobs_finish(tmp_path):
    path = tmp_path / "notes"
    await add("sample.slow", path=str(path), seconds=1)
    async with worker_process(JOBS_STALLED_SECONDS="60") as process:
        await until(lambda: notes(path) == ["started"])
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(120):
            assert await process.wait() == 0

    assert notes(path) == ["started", "finished"]


async def test_what_does_not_finish_in_time_is_given_back_at_once(tmp_path, configure):
    path, go = tmp_path / "notes", tmp_path / "go"
    await add("sample.held", path=str(path), until=str(go))
    async with worker_process(JOBS_SHUTDOWN_SECONDS="0.2", JOBS_STALLED_SECONDS="60") as process:
        await until(lambda: notes(path) == ["started"])
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(120):  # it would run for ever
            assert await process.wait() == 0
    go.touch()

    # Far below the time after which a worker counts as dead.
    configure(JOBS_POLL_SECONDS=0.5, JOBS_STALLED_SECONDS=60)
    async with worker_here():
        await until(lambda: notes(path)[-1] == "finished")

    assert notes(path) == ["started", "started", "finished"]


async def test_a_job_that_kills_its_workers_is_stopped_in_the_end(tmp_path):
    path = tmp_path / "notes"
    job_id = await add("sample.dies", path=str(path))
    async with transaction() as db:  # It did so three times already.
        await db.execute(
            text("UPDATE procrastinate_jobs SET attempts = 3 WHERE id = :id"), {"id": job_id}
        )

    async def failed() -> bool:
        async with transaction() as db:
            return job_id in [job.id for job in await service.failed(db)]

    async with asyncio.timeout(120):
        while not await failed():
            async with worker_process(JOBS_STALLED_SECONDS="0.5") as process:
                await ended(process, failed)

    assert notes(path) == ["died"]


async def test_a_job_whose_worker_died_makes_way_for_the_next_that_waits(tmp_path):
    """As the clock adds them; each would wait for the other."""
    path = tmp_path / "notes"
    alone = {"lock": str(path), "queueing_lock": str(path)}
    died = await add("sample.note", path=str(path), word="first", **alone)
    async with transaction() as db:
        await db.execute(
            text("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = :id"), {"id": died}
        )
    await add("sample.note", path=str(path), word="second", **alone)

    async with queue.opened(scheduled=False) as app:
        await recover_stalled(app, 3600)
    await queue.run_until_empty(QUEUE)

    assert notes(path) == ["second"]


async def ended(process: Process, condition: Callable[[], Awaitable[bool]]) -> None:
    while process.returncode is None and not await condition():
        await asyncio.sleep(0.05)


@asynccontextmanager
async def worker_here() -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(work(stop, queues=[QUEUE]))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(120):
            await running


async def test_a_worker_starts_jobs_by_the_clock(configure):
    configure(JOBS_POLL_SECONDS=0.2, JOBS_STALLED_SECONDS=1)
    async with transaction() as db:  # Workers of other tests may have served this minute.
        await db.execute(text("DELETE FROM procrastinate_periodic_defers"))

    async with worker_here(), asyncio.timeout(120):
        await scheduled.wait()


async def listening() -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = "
    async with transaction() as db:
        return bool(await db.scalar(text(query + "current_database()")))


async def test_a_worker_hears_of_new_jobs_at_once(tmp_path, configure):
    configure(JOBS_POLL_SECONDS=60)
    path = tmp_path / "notes"
    async with worker_here():
        async with asyncio.timeout(120):
            while not await listening():
                await asyncio.sleep(0.05)
        await add("sample.note", path=str(path))
        await until(lambda: notes(path) == ["ran"])


async def test_a_worker_survives_the_loss_of_its_connections(tmp_path, configure, database):
    configure(JOBS_POLL_SECONDS=0.2, JOBS_HEARTBEAT_SECONDS=0.2)
    path = tmp_path / "notes"
    kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = "
    async with worker_here():
        await add("sample.note", path=str(path), word="before")
        await until(lambda: notes(path) == ["before"])
        with migrate.connected(database.admin) as connection:
            # Not in the middle of noting that the job is done: then it would run again.
            doing = text("SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'")
            async with asyncio.timeout(120):
                while connection.scalar(doing):
                    await asyncio.sleep(0.05)
                    connection.rollback()
            assert connection.scalar(text(f"{kill}'app worker' AND datname = current_database()"))
        await add("sample.note", path=str(path), word="after")
        await until(lambda: notes(path) == ["before", "after"])


async def test_the_web_process_runs_jobs_when_told_to(tmp_path, configure):
    configure(JOBS_IN_PROCESS=True)
    path = tmp_path / "notes"
    async with in_process_worker():
        await add("sample.note", path=str(path))
        await until(lambda: notes(path) == ["ran"])


async def test_it_does_not_when_not_told_to(tmp_path):
    path = tmp_path / "notes"
    async with in_process_worker():
        await add("sample.note", path=str(path))
        await asyncio.sleep(0.5)
        assert notes(path) == []


@pytest.mark.parametrize(
    ("environment", "inside"), [("development", True), ("production", False), ("test", False)]
)
def test_only_development_runs_jobs_in_the_web_process(configure, environment, inside):
    from app.jobs.settings import JobsSettings

    configure(APP_ENV=environment)
    assert JobsSettings.load().in_process is inside


async def test_a_worker_waits_for_a_database_that_is_away(tmp_path, configure, monkeypatch):
    monkeypatch.setattr(queue, "CONNECT_SECONDS", 0.1)
    configure(JOBS_DATABASE_URL=f"postgresql://nobody@/nothing?host={tmp_path}&connect_timeout=1")
    stop = asyncio.Event()
    running = asyncio.create_task(work(stop, queues=[QUEUE]))
    await asyncio.sleep(0.5)
    assert not running.done()
    stop.set()
    async with asyncio.timeout(120):
        await running
