from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.access.settings import USERS
from app.core.settings import ModuleSettings


class TokensSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="TOKENS_")

    access_minutes: int = Field(10, ge=1, le=15)
    """How long an access token works."""
    grace_seconds: int = Field(10, ge=0, le=60)
    """How long a refresh token that was just used gives the same successor once more."""
    idle_minutes: int = Field(USERS.get("session_idle_minutes", 30), ge=1)
    """A session by tokens that nobody uses for so long ends; a mobile app may want days."""
    absolute_hours: int = Field(USERS.get("session_absolute_hours", 12), ge=1)
    """A session by tokens ends after so long, used or not; a mobile app may want weeks."""
