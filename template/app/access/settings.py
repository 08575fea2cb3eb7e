from typing import Literal

from pydantic_settings import SettingsConfigDict

from app.core.settings import ModuleSettings, answers

USERS = answers().get("users", {})


class AccessSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="SESSION_")

    idle_minutes: int = USERS.get("session_idle_minutes", 30)
    """A session that nobody uses for so long ends."""
    absolute_hours: int = USERS.get("session_absolute_hours", 12)
    """A session ends after so long, used or not."""
    step_up_minutes: int = 10
    """How long a proof of identity counts for sensitive actions."""
    second_factor: Literal["optional", "admins", "everyone"] = USERS.get(
        "second_factor", "optional"
    )
    """optional, admins or everyone."""
