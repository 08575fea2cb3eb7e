from sqlalchemy import text

from app.core.db import transaction

ESSENTIAL = False  # pages and answers work without a worker
LATE = 5  # minutes


class NobodyWorks(RuntimeError):
    pass


async def check() -> None:
    """Somebody takes the jobs: none has been due for long."""
    query = text(
        "SELECT EXISTS (SELECT FROM procrastinate_jobs job"
        " JOIN procrastinate_events event ON event.job_id = job.id AND event.type = 'deferred'"
        " WHERE job.status = 'todo'"
        " AND coalesce(job.scheduled_at, event.at) < now() - make_interval(mins => :late))"
    )
    async with transaction() as db:
        if await db.scalar(query, {"late": LATE}):
            raise NobodyWorks
