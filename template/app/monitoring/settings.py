"""How closely the app watches what its models do."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from app.core.outside import Outside
from app.core.settings import ROOT, ModuleSettings
from app.llm.access import STAND_IN, Region, elsewhere
from app.llm.settings import FurtherAccess, LLMSettings

Percent = Annotated[float, Field(ge=0, le=100)]


class MonitoringSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="MONITORING_")

    sample_percent: Percent = 5
    """Of a hundred answers, so many are judged, once MONITORING_JUDGE_PROVIDER names a judge."""
    sample_percents: dict[str, Percent] = Field(default_factory=dict)
    """The same for single features, as JSON: `{"assistant": 20}`."""
    judge_dollars_per_day: float = Field(1, ge=0)
    """What the judge may cost in a day of UTC; then answers wait, and the oldest go unjudged."""
    waiting_hours: int = Field(24, ge=1, le=168)
    """So long the words of an answer wait for the judge, encrypted; then they are deleted."""
    keep_words: bool = False
    """Keep what was judged, encrypted, until the judgement itself is deleted."""
    drift_alpha: float = Field(0.01, gt=0, lt=0.5)
    """How often one look at a feature may find a drift where there is none."""
    drift_least_calls: int = Field(200, ge=50)
    """Calls that both weeks and the weeks before must have until they are compared."""
    task_gap_minutes: int = Field(15, ge=1, le=240)
    """Calls of one person and feature that follow each other within this are one task."""
    minutes_per_task: float = Field(5, ge=0)
    """What a solved task is assumed to save; measure your own, nobody has measured this one."""
    rules_file: Path = ROOT / "retraining.toml"
    """Rules for retraining of your own; without it those in app/monitoring/retraining.toml hold."""
    retention_days: int = Field(400, ge=60)
    """Days until the numbers of a call and what was said of it are deleted."""

    def percent_of(self, feature: str) -> float:
        return self.sample_percents.get(feature, self.sample_percent)


class JudgeSettings(FurtherAccess, ModuleSettings):
    """The model that judges a sample of answers; best another one than answers."""

    model_config = SettingsConfigDict(env_prefix="MONITORING_JUDGE_", extra="ignore")
    prefix: ClassVar[str] = "MONITORING_JUDGE_"

    provider: str = ""
    """A file in app/llm/providers; empty: nothing is judged. LLM_REGION holds for it, too."""

    @field_validator("provider")
    @classmethod
    def _a_model(cls, value: str) -> str:
        if value == STAND_IN:
            raise ValueError("MONITORING_JUDGE_PROVIDER names a model; the stand-in is none")
        return value

    @property
    def is_on(self) -> bool:
        return bool(self.provider) and not self.lacking

    def outside(self) -> list[Outside]:
        return [self.server("Judge of answers")]

    def production_problems(self) -> list[str]:
        return self.access_problems() if self.provider else []


class TuningSettings(ModuleSettings):
    """Where models are fine-tuned, by OpenAI's wire. Corrections are sent there."""

    model_config = SettingsConfigDict(env_prefix="MONITORING_TUNING_")

    base_url: str = ""
    """Up to and with /v1, such as `https://api.openai.com/v1`. Empty: nothing can be fine-tuned."""
    api_key: SecretStr = SecretStr("")
    """Its key."""
    model: str = ""
    """The model to begin with, as the provider calls it."""
    region: Region = "anywhere"
    """Where that provider trains and keeps files, by its own word. Must be that of LLM_REGION."""

    @property
    def is_on(self) -> bool:
        return bool(self.base_url and self.model)

    def outside(self) -> list[Outside]:
        return [
            Outside(
                name="Fine-tuning",
                gets="trains models: corrections without what says who someone is",
                setting="MONITORING_TUNING_BASE_URL",
                addresses=(self.base_url,) if self.base_url else (),
            )
        ]

    def production_problems(self) -> list[str]:
        wanted = LLMSettings.load().region
        if not self.base_url or wanted == "anywhere":
            return []
        # An address does not tell where it is; somebody has to have asked.
        told = f"MONITORING_TUNING_REGION must be {wanted}: LLM_REGION keeps all data there."
        found = [] if self.region == wanted else [told]
        return found + elsewhere("MONITORING_TUNING_BASE_URL", self.base_url, wanted)
