from app.jobs.queue import every, queue, task
from app.jobs.settings import JobsSettings


@every("23 * * * *")
@task("jobs.remove_old")
async def remove_old() -> None:
    """Finished jobs go at once; those that failed stay for a while to be looked at."""
    await queue.job_manager.delete_old_jobs(
        nb_hours=JobsSettings.load().keep_failed_days * 24,
        include_failed=True,
        include_cancelled=True,
        include_aborted=True,
    )
