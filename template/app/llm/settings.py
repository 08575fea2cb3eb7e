"""Settings of the model layer."""

from typing import ClassVar, Literal

from pydantic import AliasChoices, BaseModel, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from app.core.outside import Outside
from app.core.settings import ModuleSettings, answers
from app.llm.access import LAPTOP_ONLY, Access, Region, elsewhere

ANSWERED = answers().get("llm", {})
ANSWERED_FALLBACK = ANSWERED.get("fallback", "none").removeprefix("none")


class ModelLimits(BaseModel):
    """What a model besides the usual one can take."""

    context_tokens: int | None = Field(None, ge=256)
    """Its window; None: that of the usual model."""
    tools: bool = True
    shapes: bool = True
    """Whether it can be held to a JSON schema."""


class LLMSettings(Access, ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="LLM_", populate_by_name=True)
    prefix: ClassVar[str] = "LLM_"

    provider: str = ANSWERED.get("provider", "openai")
    """A file in app/llm/providers. Until its settings are complete, a laptop gets `stand_in`.
    `small_local` is what `make dev MODEL=local` sets."""
    model: str = ANSWERED.get("model", "")
    """Empty: the model that the provider's file names."""
    region: Region = ANSWERED.get("region", "anywhere")
    """Where data may go. Providers are asked at an address there; production refuses the others."""
    openai_api_key: SecretStr = Field(
        SecretStr(""), validation_alias=AliasChoices("OPENAI_API_KEY", "openai_api_key")
    )
    """Used for OpenAI when LLM_API_KEY is empty: most laptops have it set already."""
    embedding_model: str = ""
    """Makes vectors of documents and questions, such as `text-embedding-3-small`. Empty: none."""
    embedding_base_url: str = ""
    """Where it answers, as LLM_BASE_URL. Empty: where the model answers."""
    embedding_api_key: SecretStr = SecretStr("")
    """Its key. Empty: the model's."""
    embedding_dimensions: int | None = Field(None, ge=8, le=1024)
    """How many numbers to ask for, of models that can be asked; at most 1,024 are kept."""
    smaller_model: str = ""
    """A model of the same provider that answers when no other does; empty: none."""
    task_models: dict[str, list[str]] = Field(default_factory=dict)
    """By feature, models of the same provider that will do; the cheapest that can is asked."""
    model_limits: dict[str, ModelLimits] = Field(default_factory=dict)
    """By model, what it cannot do, as JSON: context_tokens, tools, shapes."""
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
    calls_at_once: int = Field(100, ge=1)
    """Answers that one process asks of one provider at the same time."""
    queue_length: int = Field(100, ge=0)
    """Calls that wait for their turn; one more is told when to come again."""
    queue_seconds: float = Field(15, gt=0)
    """The longest that a call waits for its turn."""
    retries: int = Field(2, ge=0)
    """How often a call is tried again when the provider fails before the first word."""
    retry_seconds: float = Field(5, ge=0)
    """The longest pause before a try; who asks us to wait longer is not asked again."""
    breaker_failures: int = Field(5, ge=0)
    """Failures in a minute, and half of all calls, until a provider is left alone. 0: never."""
    breaker_seconds: float = Field(10, gt=0)
    """How long it is left alone at first; then one call finds out whether it is well."""
    hedge_seconds: float = Field(0, ge=0)
    """After so long without a word a model is asked again; who speaks first wins. 0: never."""
    hedge_percent: int = Field(5, ge=1, le=100)
    """Of a hundred calls of a process, so many are asked twice at most."""
    hedge_with: Literal["same", "fallback"] = "same"
    """Who is asked then: the same model, or LLM_FALLBACK_PROVIDER where there is one."""
    people_answer: bool = False
    """When no model can answer, the question goes to the reviewers, who answer it."""
    logprobs: bool = False
    """Ask for the probability of each token where the wire can tell it; some models refuse that."""

    @property
    def data_region(self) -> Region:
        return self.region

    @property
    def seconds_to_connect(self) -> float:
        return self.connect_seconds

    @property
    def key(self) -> str:
        given = self.api_key.get_secret_value()
        if not given and self.provider == "openai":
            return self.openai_api_key.get_secret_value()
        return given

    def outside(self) -> list[Outside]:
        vectors = Outside(
            name="Provider of vectors",
            gets="makes vectors: passages of documents, and questions",
            setting="LLM_EMBEDDING_BASE_URL",
            addresses=(self.embedding_base_url,) if self.embedding_base_url else (),
        )
        return [self.server(), vectors]

    def production_problems(self) -> list[str]:
        if self.provider in {*LAPTOP_ONLY, ""}:
            return ["LLM_PROVIDER must name a model provider; this one is for a laptop."]
        vectors = elsewhere("LLM_EMBEDDING_BASE_URL", self.embedding_base_url, self.region)
        return self.access_problems() + vectors


class FurtherAccess(Access):
    """To a model beside the first one: region, patience and OpenAI's key are the first one's."""

    @property
    def data_region(self) -> Region:
        return LLMSettings.load().region

    @property
    def seconds_to_connect(self) -> float:
        return LLMSettings.load().connect_seconds

    @property
    def key(self) -> str:
        given = self.api_key.get_secret_value()
        if not given and self.provider == "openai":
            return LLMSettings.load().openai_api_key.get_secret_value()
        return given


class FallbackSettings(FurtherAccess, ModuleSettings):
    """Who is asked when the first provider gives no answer."""

    model_config = SettingsConfigDict(env_prefix="LLM_FALLBACK_")
    prefix: ClassVar[str] = "LLM_FALLBACK_"

    provider: str = ANSWERED_FALLBACK
    """A file in app/llm/providers; empty: none. LLM_REGION holds for it, too."""
    context_tokens: int = Field(128_000, ge=256)
    """The second model's window; what does not fit is not asked there."""

    def outside(self) -> list[Outside]:
        return [self.server("Second model provider")]

    def production_problems(self) -> list[str]:
        if self.provider in LAPTOP_ONLY:
            return ["LLM_FALLBACK_PROVIDER must name a model provider; this one is for a laptop."]
        return self.access_problems() if self.provider else []
