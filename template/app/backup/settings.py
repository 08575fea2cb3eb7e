from pathlib import Path

from pydantic import Field, SecretStr
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

    def outside(self) -> list[Outside]:
        url = self.admin_url.get_secret_value()
        return [database("BACKUP_ADMIN_URL", url, "backups, from `app backup`")]
