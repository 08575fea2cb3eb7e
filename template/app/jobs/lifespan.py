"""The web process runs a worker inside it when JOBS_IN_PROCESS says so."""

from app.jobs.worker import in_process_worker as lifespan

__all__ = ["lifespan"]
