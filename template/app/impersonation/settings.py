from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from app.core.settings import ModuleSettings


class ImpersonationSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="IMPERSONATION_")

    minutes: int = Field(30, ge=1, le=60)
    """How long an administrator works as someone else when nothing else is said."""
    longest_minutes: int = Field(60, ge=1, le=60)
    """The longest that can be asked for."""
    keep_days: int = Field(365, ge=30)
    """How long a person sees on the page Security that it happened, and why."""

    @model_validator(mode="after")
    def _in_order(self) -> "ImpersonationSettings":
        if self.minutes > self.longest_minutes:
            raise ValueError("IMPERSONATION_MINUTES is more than IMPERSONATION_LONGEST_MINUTES")
        return self
