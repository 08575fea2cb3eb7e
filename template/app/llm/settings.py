"""Settings of the model layer."""

from functools import cached_property
from importlib.util import find_spec
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from app.core.outside import Outside
from app.core.settings import ModuleSettings, answers, get_settings

STAND_IN = "stand_in"
ANSWERED = answers().get("llm", {})


class LLMSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="LLM_", populate_by_name=True)

    provider: str = ANSWERED.get("provider", "openai")
    """A file in app/llm/providers. Until its settings are complete, a laptop gets `stand_in`."""
    region: Literal["anywhere", "eu", "us"] = ANSWERED.get("region", "anywhere")
    """Where data may go. `eu` and `us` are OpenAI addresses for projects with data residency."""
    base_url: str = ""
    """Where the provider answers, up to and with /v1. Empty: the provider's own address."""
    api_key: SecretStr = SecretStr("")
    """The provider's key."""
    openai_api_key: SecretStr = Field(
        SecretStr(""), validation_alias=AliasChoices("OPENAI_API_KEY", "openai_api_key")
    )
    """Used for OpenAI when LLM_API_KEY is empty: most laptops have it set already."""
    model: str = ANSWERED.get("model", "")
    """Empty: the model that the provider's file names."""
    context_tokens: int = Field(128_000, ge=256)
    """The model's window: question and answer together."""
    max_output_tokens: int = Field(2_048, ge=1)
    """The longest answer when a caller does not say; so much is reserved for each call."""
    max_input_characters: int = Field(32_000, ge=1)
    """The longest single message that a person may send."""
    deadline_seconds: float = Field(120, gt=0)
    """The longest that one answer may take."""
    first_token_seconds: float = Field(30, gt=0)
    """The longest wait for its first word."""
    connect_seconds: float = Field(5, gt=0)
    """The longest wait for a connection."""

    @field_validator("provider")
    @classmethod
    def _present(cls, value: str) -> str:
        if not value.isidentifier() or find_spec(f"app.llm.providers.{value}") is None:
            raise ValueError("LLM_PROVIDER names a provider that this project does not have")
        return value

    @field_validator("base_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://")):
            raise ValueError("LLM_BASE_URL starts with https:// or http://")
        return value

    @cached_property
    def chosen(self) -> str:
        """The provider that answers now."""
        if self.lacking and not get_settings().production:
            return STAND_IN
        return self.provider

    @property
    def key(self) -> str:
        """The provider's key, or an empty text."""
        given = self.api_key.get_secret_value()
        if not given and self.provider == "openai":
            return self.openai_api_key.get_secret_value()
        return given

    @property
    def lacking(self) -> list[str]:
        """The environment variables that the provider cannot do without and that are not set."""
        given = {"api_key": self.key, "base_url": self.base_url, "model": self.model}
        return [f"LLM_{name.upper()}" for name in _needs(self.provider) if not given[name]]

    def outside(self) -> list[Outside]:
        from app.llm.providers import load

        found = "" if self.lacking else load(self.chosen).address(self)
        return [
            Outside(
                name="Model provider",
                gets="answers questions: the conversation",
                setting="LLM_BASE_URL",
                addresses=(found,) if found else (),
            )
        ]

    def production_problems(self) -> list[str]:
        if self.provider == STAND_IN:
            return ["LLM_PROVIDER must name a model provider; the stand-in is no model."]
        return [f"{name} must be set for the model provider." for name in self.lacking]


def _needs(provider: str) -> tuple[str, ...]:
    from app.llm.providers import load

    return load(provider).NEEDS
