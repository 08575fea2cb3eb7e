from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.core.settings import ModuleSettings


class ToolsSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="TOOLS_")

    offered: bool | None = None
    """Whether models get tools. Empty: where LLM_PROVIDER always has models that know them, which
    is not so at `ollama`, `vllm` and `compatible`."""
    rounds: int = Field(6, ge=1)
    """How often, in one answer, a model may ask for tools before it must answer."""
    calls: int = Field(12, ge=1)
    """Tools that one answer may use."""
    dear_calls: int = Field(3, ge=0)
    """How many of them may be dear ones."""
    at_once: int = Field(4, ge=1)
    """Tools of one answer that run at the same time."""
    seconds: float = Field(15, gt=0)
    """The longest that a tool runs which does not say otherwise."""
    result_characters: int = Field(8_000, ge=100)
    """The longest result; the rest is cut and the model told so."""
    approval_hours: int = Field(24, ge=1)
    """How long something waits for approval."""
    four_eyes: bool = False
    """Nobody approves what they asked for themselves."""
    keep_days: int = Field(90, ge=1)
    """Days until a decided approval is deleted; the audit log keeps that it was."""
