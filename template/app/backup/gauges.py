"""How late the backup is, and what the database keeps for it, which must not grow for ever."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.metrics import Gauge

HELD = Gauge(
    "app_database_log_held_bytes", "Changes that the server keeps for who has not received them."
)
LOST = Gauge("app_database_slots_lost", "Receivers for whom the server keeps nothing any more.")
LATE = Gauge("app_backup_late_seconds", "For how long a backup has been due and was not made.")
"""Told by `app backup schedule`, which alone sees them."""
COUNTED = text(
    "SELECT coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)), 0)::float8,"
    " count(*) FILTER (WHERE wal_status = 'lost') FROM pg_replication_slots"
)


async def read(db: AsyncSession) -> None:
    held, lost = (await db.execute(COUNTED)).one()
    HELD.replace(held)
    LOST.replace(lost)
