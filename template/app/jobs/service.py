from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import Conflict, NotFound

# A `job` that waits until another one of its lock is done, by a worker that lives.
ITS_TURN = (
    "EXISTS (SELECT FROM procrastinate_jobs other"
    " JOIN procrastinate_workers worker ON worker.id = other.worker_id"
    " WHERE other.lock = job.lock AND other.status = 'doing'"
    " AND worker.last_heartbeat > now() - interval '1 minute')"
)


class NoSuchFailedJob(NotFound):
    pass


class AlreadyWaiting(Conflict):
    """Another job with the same queueing lock waits."""


@dataclass(frozen=True)
class FailedJob:
    id: int
    name: str
    attempts: int
    arguments: dict[str, object]
    failed_at: datetime | None


async def failed(db: AsyncSession, limit: int = 100) -> list[FailedJob]:
    """Jobs that failed for good, the newest first."""
    rows = await db.execute(
        text(
            "SELECT job.id, job.task_name, job.attempts, job.args, max(event.at)"
            " FROM procrastinate_jobs job LEFT JOIN procrastinate_events event"
            " ON event.job_id = job.id AND event.type = 'failed'"
            " WHERE job.status = 'failed' GROUP BY job.id ORDER BY job.id DESC LIMIT :limit"
        ),
        {"limit": limit},
    )
    return [FailedJob(*row) for row in rows]


async def counts(db: AsyncSession) -> dict[str, int]:
    """How many jobs wait (`todo`), run (`doing`) and failed."""
    rows = await db.execute(text("SELECT status, count(*) FROM procrastinate_jobs GROUP BY status"))
    found = {str(row[0]): int(row[1]) for row in rows}
    return {status: found.get(status, 0) for status in ("todo", "doing", "failed")}


async def retry(db: AsyncSession, job_id: int) -> None:
    """Let a failed job run again, with all its tries."""
    try:
        async with db.begin_nested():
            found = await db.execute(
                text(
                    "UPDATE procrastinate_jobs SET status = 'todo', attempts = 0,"
                    " scheduled_at = now() WHERE id = :id AND status = 'failed' RETURNING id"
                ),
                {"id": job_id},
            )
    except IntegrityError as error:
        raise AlreadyWaiting("A job of this kind waits already.") from error
    if found.first() is None:
        raise NoSuchFailedJob("No failed job has this number.")


async def retry_all(db: AsyncSession) -> tuple[int, int]:
    """All that failed, the oldest first: how many run again, and how many wait already."""
    ids = await db.execute(
        text("SELECT id FROM procrastinate_jobs WHERE status = 'failed' ORDER BY id")
    )
    again = waiting = 0
    for (job_id,) in ids.all():
        try:
            await retry(db, job_id)
            again += 1
        except AlreadyWaiting:
            waiting += 1
    return again, waiting
