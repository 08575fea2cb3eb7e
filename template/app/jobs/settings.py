from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.core.outside import Outside, database
from app.core.settings import ModuleSettings, get_settings


class JobsSettings(ModuleSettings):
    """How background jobs run. Times are in seconds."""

    model_config = SettingsConfigDict(env_prefix="JOBS_")

    in_process: bool = Field(default_factory=lambda: get_settings().app_env == "development")
    """Run a worker inside the web process, so that a laptop needs one process only."""
    concurrency: int = Field(default_factory=lambda: get_settings().database_pool_size, ge=1)
    """Jobs that one worker runs at the same time; each may hold a database connection."""
    database_url: str = ""
    """A direct way to the database when DATABASE_URL goes through a pooler: LISTEN needs one."""
    shutdown_seconds: float = Field(20, gt=0)
    """How long running jobs may take to finish after SIGTERM; then they are given back."""
    heartbeat_seconds: float = Field(10, gt=0)
    """How often a worker says that it lives."""
    stalled_seconds: float = Field(30, gt=0)
    """A worker without a heartbeat for this long is dead, and its jobs are run again."""
    poll_seconds: float = Field(5, gt=0)
    """How often to look for due jobs; new ones are announced by the database at once."""
    keep_failed_days: int = Field(30, ge=1)
    """Failed jobs are deleted after so long."""

    def outside(self) -> list[Outside]:
        return [database("JOBS_DATABASE_URL", self.database_url, "jobs, past a pooler")]
