from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from app.core.outside import Outside, database
from app.core.settings import ROOT, ModuleSettings


class BackupSettings(ModuleSettings):
    """What `app backup` needs. The app itself knows none of it."""

    model_config = SettingsConfigDict(env_prefix="BACKUP_")

    folder: Path = ROOT / ".local" / "backups"
    """Where backups are kept: another disk, or one that another machine holds."""
    recipients: list[str] = Field(default_factory=list)
    """Whose keys open them, `age1…`: `app backup new-key` makes one. Not for this machine."""
    admin_url: SecretStr = SecretStr("")
    """Where the database's administrator logs in: row security hides nothing from it."""
    every_hours: float = Field(6, gt=0)
    """How often `app backup schedule` makes one: so much may be lost."""
    keep_days: int = Field(14, ge=1)
    """How long they are kept; the newest three are kept longer."""
    stream_url: SecretStr = SecretStr("")
    """Where `app_backup` logs in: `app backup schedule` receives every change, and `app backup
    restore --at` goes back to any moment. Empty: only to one at which a backup was made."""
    spool: Path = ROOT / ".local" / "wal"
    """Where changes wait until they fill a segment: a disk of the database's machine."""
    base_every_hours: float = Field(24, gt=0)
    """How often the server's files are copied; what came since is replayed in a restore."""
    copy_url: str = ""
    """A server that speaks S3 and is elsewhere, such as `https://s3.eu-central-1.amazonaws.com`:
    `app backup copy` keeps a copy of each backup there."""
    copy_bucket: str = ""
    """The bucket; it must be there, and forgets old copies by its own rules."""
    copy_region: str = ""
    """Its region."""
    copy_access_key: str = ""
    """A key that may list, read and write there; it needs no right to delete."""
    copy_secret_key: SecretStr = SecretStr("")
    """Goes with the access key."""

    @field_validator("copy_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    def outside(self) -> list[Outside]:
        url = self.admin_url.get_secret_value()
        return [
            database("BACKUP_ADMIN_URL", url, "backups, from `app backup`"),
            database(
                "BACKUP_STREAM_URL", self.stream_url.get_secret_value(), "sends every change to it"
            ),
            Outside(
                name="Place for copies of backups",
                gets="keeps backups: encrypted for a key that is elsewhere",
                setting="BACKUP_COPY_URL",
                addresses=(self.copy_url,) if self.copy_url else (),
            ),
        ]
