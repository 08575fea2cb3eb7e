from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.core.settings import ModuleSettings


class OwnDataSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="OWN_DATA_")

    hours: int = Field(48, ge=1, le=720)
    """How long a file with one's own data can be downloaded; then it is deleted."""
    largest_bytes: int = Field(32 * 1024 * 1024, ge=1024)
    """The largest such file. Whoever has more is told to ask those who run the app."""
