"""Settings of the guards."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.core.settings import ModuleSettings


class GuardrailsSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="GUARDRAILS_")

    injection_score: float = Field(1.0, gt=0)
    """From this score on a question is refused. A clear attempt scores 1, a hint 0.5."""
