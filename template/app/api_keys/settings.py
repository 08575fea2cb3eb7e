from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.core.settings import ModuleSettings


class ApiKeysSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="API_KEYS_")

    default_days: int = Field(90, ge=1)
    """How long a key works when its maker chooses nothing else."""
    longest_days: int = Field(365, ge=1)
    """How long a key works at most."""
    longest_grace_hours: int = Field(168, ge=0)
    """How long the old secret of a renewed key works on at most."""
    per_person: int = Field(25, ge=1)
    """How many working keys one person may have."""
    per_minute: int = Field(600, ge=1)
    """How often one key may be used."""
