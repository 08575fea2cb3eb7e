"""What waits for a worker, and what only waits for its turn."""

import pytest
from sqlalchemy import text

from app.core.db import transaction
from app.jobs import gauges, health

QUEUE = "turns"
WORKER = text(
    "INSERT INTO procrastinate_workers (last_heartbeat)"
    " VALUES (now() - make_interval(secs => :ago)) RETURNING id"
)
JOB = text(
    "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, status, scheduled_at, worker_id)"
    " VALUES (:queue, 'long', 'a turn', CAST(:status AS procrastinate_job_status),"
    " now() - interval '1 hour', :worker)"
)
HEARTBEAT = text("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")


async def test_what_waits_for_its_turn_is_no_sign_that_nobody_works(monkeypatch):
    monkeypatch.setattr(health, "LATE", 59)  # What other tests left waiting is younger.
    async with transaction() as db:
        worker = await db.scalar(WORKER, {"ago": 5})
        for status, whose in (("doing", worker), ("todo", None)):
            await db.execute(JOB, {"queue": QUEUE, "status": status, "worker": whose})
    try:
        await health.check()
        assert await oldest() == 0

        async with transaction() as db:  # But whose turn it is must be alive.
            await db.execute(text(f"{HEARTBEAT} WHERE id = :id"), {"id": worker})
        with pytest.raises(health.NobodyWorks):
            await health.check()
        assert await oldest() >= 3600
    finally:
        async with transaction() as db:
            ours = {"queue": QUEUE, "id": worker}
            await db.execute(text("DELETE FROM procrastinate_jobs WHERE queue_name = :queue"), ours)
            await db.execute(text("DELETE FROM procrastinate_workers WHERE id = :id"), ours)


async def oldest() -> float:
    async with transaction() as db:
        await gauges.read(db)
    return gauges.OLDEST._values.get((QUEUE,), 0.0)
