"""Settings of the cache."""

from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.core.settings import ModuleSettings


class CacheSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="CACHE_")

    answers: Literal["off", "exact", "similar"] = "exact"
    """Which earlier answers are given again: none, to the same question, or to similar ones."""
    similarity: float = Field(0.85, gt=0, le=1)
    """How near two questions must be for `similar`, as the cosine of their vectors."""
    hours: float = Field(24, gt=0)
    """How long an answer is given again."""
    stale_hours: float = Field(72, ge=0)
    """How much longer it is kept for when no model answers; then it is marked as old."""
    entries_per_organization: int = Field(10_000, ge=0)
    """Answers, and vectors, that one organisation keeps; those not asked for the longest go."""
    longest_characters: int = Field(32_000, ge=1)
    """Longer answers are not kept."""
    beside_tools: bool = False
    """Also where tools are offered, as long as the answer uses none."""
    checked_percent: float = Field(1, ge=0, le=100)
    """Of the answers given again, how many are asked once more and compared."""
    vectors: bool = True
    """Whether vectors of short texts are kept, so that a provider is asked for them once."""
    vector_hours: float = Field(720, gt=0)
    """How long."""
