"""How many jobs wait, and for how long."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.metrics import Gauge, Labels
from app.jobs.service import ITS_TURN

JOBS = Gauge("app_jobs", "Jobs by state: waiting, running, failed for good.", "queue", "state")
OLDEST = Gauge("app_jobs_oldest_due_seconds", "How long the oldest due job waits.", "queue")

STATES = {"todo": "waiting", "doing": "running", "failed": "failed"}
COUNTED = text("SELECT queue_name, status, count(*) FROM procrastinate_jobs GROUP BY 1, 2")
WAITED = text(
    "SELECT job.queue_name,"  # noqa: S608 words of ours
    " extract(epoch FROM now() - min(coalesce(job.scheduled_at, event.at)))::float8"
    " FROM procrastinate_jobs job"
    " JOIN procrastinate_events event ON event.job_id = job.id AND event.type = 'deferred'"
    f" WHERE job.status = 'todo' AND NOT {ITS_TURN}"
    " AND coalesce(job.scheduled_at, event.at) <= now() GROUP BY 1"
)


async def read(db: AsyncSession) -> None:
    counts: dict[Labels, float] = {("default", state): 0.0 for state in STATES.values()}
    for queue, status, number in await db.execute(COUNTED):
        if status in STATES:
            counts[queue, STATES[status]] = number
    JOBS.replace(counts)
    waited: dict[Labels, float] = {("default",): 0.0}
    waited |= {(queue,): float(seconds) for queue, seconds in await db.execute(WAITED)}
    OLDEST.replace(waited)
