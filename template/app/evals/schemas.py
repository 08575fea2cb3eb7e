from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class RunIn(BaseModel):
    prompt: str = Field(max_length=80)
    version: int = Field(ge=1, le=1_000_000)


class RunOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    prompt: str
    prompt_version: int
    provider: str
    model: str
    stand_in: bool
    """The stand-in answered: what this says of a model is nothing."""
    judge: dict[str, Any]
    guards: dict[str, Any]
    commit: str
    suites: dict[str, Any]
    state: str
    complete: bool
    passed: bool
    verdicts: list[str]
    microdollars: int
    created_at: datetime
    finished_at: datetime | None


class ResultOut(BaseModel):
    suite: str
    case_id: str | None
    split: str
    state: str
    outcome: str | None
    question: str | None
    """None where it is held out from whoever asks."""
    answer: str | None
    checks: list[dict[str, Any]] | None
    milliseconds: int


class RunWithResults(RunOut):
    results: list[ResultOut]


class ShareOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    value: float
    low: float
    high: float


class ComparedOut(BaseModel):
    both: int
    better: list[str]
    worse: list[str]
    change: ShareOut | None
    """Of the share that passed, with Newcombe's interval of 95 % for the same cases."""


class ModelOut(BaseModel):
    """A model, and how it did in its newest run with the version that is live."""

    model_config = ConfigDict(from_attributes=True)

    model: str
    is_usual: bool
    would_do: bool
    """It passed the gate that a release has to pass, compared with the usual model."""
    passed: int
    counted: int
    share: ShareOut | None
    microdollars: int
    """Of a thousand typical calls: 4,000 tokens in, 500 out."""
