from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.core.settings import ModuleSettings, answers


class AssistantSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="ASSISTANT_")

    memory_tokens: int = Field(600, ge=50)
    """How long the summary of older messages may be, once a conversation fits no more."""
    memory_calls: int = Field(3, ge=0)
    """Calls that one turn makes for it at most; 0: older messages are left out, and it is told."""
    retention_days: int = Field(answers().get("compliance", {}).get("retention_days", 0), ge=0)
    """Days after its last message until a conversation is deleted. 0 keeps it."""
