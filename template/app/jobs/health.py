from sqlalchemy import text

from app.core.db import transaction
from app.jobs.service import ITS_TURN

ESSENTIAL = False  # pages and answers work without a worker
LATE = 5  # minutes


class NobodyWorks(RuntimeError):
    pass


async def check() -> None:
    """Somebody takes the jobs: none has been due for long, but for one that waits for another."""
    query = text(
        "SELECT EXISTS (SELECT FROM procrastinate_jobs job"  # noqa: S608 words of ours
        " JOIN procrastinate_events event ON event.job_id = job.id AND event.type = 'deferred'"
        f" WHERE job.status = 'todo' AND NOT {ITS_TURN}"
        " AND coalesce(job.scheduled_at, event.at) < now() - make_interval(mins => :late))"
    )
    async with transaction() as db:
        if await db.scalar(query, {"late": LATE}):
            raise NobodyWorks
