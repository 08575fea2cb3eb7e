from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.core.settings import ModuleSettings


class EvalsSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="EVALS_")

    at_once: int = Field(4, ge=1, le=64)
    """Cases that one run asks at the same time."""
    dollars_per_run: float = Field(5, ge=0)
    """What one run may cost; then it stops, and nothing is released by it."""
    models: list[str] = Field(default_factory=list)
    """Cheaper models of the same provider to look at, as JSON, beside those that answer already."""
    dollars_per_report: float = Field(10, ge=0)
    """What evaluating them may cost together; then no further one is begun."""
    judge_dollars_per_run: float = Field(2, ge=0)
    """What its judge may cost besides."""
    least_agreement: float = Field(0.6, ge=0, le=1)
    """Cohen's kappa between judge and people, below which what the judge says does not count."""
    margin: float = Field(0.05, ge=0, le=1)
    """How much worse than the live version a release may possibly be, over all cases together."""
    gate_days: int = Field(30, ge=1)
    """How old a run may be that a release relies on."""
    retention_days: int = Field(400, ge=30)
    """Days until a run is deleted."""
