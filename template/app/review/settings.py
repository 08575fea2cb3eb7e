from collections.abc import Mapping

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from app.core.settings import ModuleSettings

# Someone waits for the first of them.
PRIORITIES = {"guard": 4, "degraded": 4, "asked": 3, "low_confidence": 2, "sampled": 1}
HOURS = {
    "guard": 4,
    "degraded": 4,
    "asked": 24,
    "low_confidence": 48,
    "sampled": 168,
}


class ReviewSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="REVIEW_")

    sample: Mapping[str, float] = Field({"assistant": 0.01})
    """The share of answers, by feature, that people look at without any other reason."""
    confidence_below: int = Field(0, ge=0, le=100)
    """An answer whose confidence is below this goes to people. 0: none; measure before you set
    it."""
    hours: Mapping[str, int] = Field({})
    """Hours until someone should have looked, by reason; what is not named keeps its default."""
    claim_minutes: int = Field(30, ge=1)
    """How long what someone has taken is theirs."""
    four_eyes: bool = True
    """Nobody looks at the answers to their own questions."""
    second_share: float = Field(0.1, ge=0, le=1)
    """The share of what was looked at that another person looks at, not knowing the verdict."""
    second_hours: int = Field(168, ge=1)
    """Hours for a second look, and for a third."""
    keep_days: int = Field(180, ge=1)
    """Days until an answer that was looked at is deleted here."""

    @field_validator("sample")
    @classmethod
    def _shares(cls, value: Mapping[str, float]) -> Mapping[str, float]:
        if not all(0 <= share <= 1 for share in value.values()):
            raise ValueError("REVIEW_SAMPLE holds shares from 0 to 1")
        return value

    @field_validator("hours")
    @classmethod
    def _known(cls, value: Mapping[str, int]) -> Mapping[str, int]:
        if unknown := value.keys() - HOURS.keys():
            raise ValueError(f"REVIEW_HOURS does not know {', '.join(sorted(unknown))}")
        if any(hours < 1 for hours in value.values()):
            raise ValueError("REVIEW_HOURS holds whole hours")
        return value

    def reads(self, feature: str) -> bool:
        """Whether people may read answers that nobody asked them to look at."""
        return self.sample.get(feature, 0) > 0 or self.confidence_below > 0

    def hours_for(self, reason: str) -> int:
        return self.hours.get(reason, HOURS[reason])
