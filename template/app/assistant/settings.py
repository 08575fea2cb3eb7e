from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.core.settings import ModuleSettings, answers


class AssistantSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="ASSISTANT_")

    retention_days: int = Field(answers().get("compliance", {}).get("retention_days", 0), ge=0)
    """Days after its last message until a conversation is deleted. 0 keeps it."""
