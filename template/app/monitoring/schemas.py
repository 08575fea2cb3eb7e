"""Shapes of the JSON API. Money is in millionths of a US dollar."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from app.monitoring.quality import Quality, Share


class _Read(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class SpeedOut(_Read):
    """Milliseconds of one day and model: until the first word, and until the whole answer."""

    day: datetime
    provider: str
    model: str
    calls: int
    first_p50: float | None
    first_p95: float | None
    p50: float
    p95: float
    p99: float


class OutcomesOut(_Read):
    day: datetime
    calls: int
    answered: int
    declined: int
    """Answers in which the model itself says no."""
    refused: int
    by_input_guard: int
    withheld: int
    failed: int
    left: int


class ShareOut(BaseModel):
    """A share with its interval of 95 %."""

    hits: int
    of: int
    value: float
    low: float
    high: float


class VersionOut(BaseModel):
    feature: str
    prompt: str
    prompt_version: int | None
    model: str
    judged: int
    shares: dict[str, ShareOut]
    """correct, relevant, safe, form; and thumbs, those that point up."""


class JudgeOut(_Read):
    provider: str
    model: str
    prompt_version: int
    examples: int
    kappas: Mapping[str, float]
    created_at: datetime


class QualityOut(BaseModel):
    judge: JudgeOut | None
    states: Mapping[str, int]
    """How many answers of the sample are waiting, judged, failed or expired."""
    versions: list[VersionOut]


class ReadingOut(_Read):
    """One measure of the seven days before a look, and of the four weeks before those."""

    day: datetime
    feature: str
    measure: str
    kind: str
    reference: int
    current: int
    effect: float
    """Population stability index; of a share, Cohen's h."""
    p_value: float
    adjusted: float
    drifted: bool
    before: str
    after: str


class AlertOut(_Read):
    feature: str
    measure: str
    effect: float
    adjusted: float
    before: str
    after: str
    created_at: datetime
    last_at: datetime
    ended_at: datetime | None


class DriftOut(BaseModel):
    alerts: list[AlertOut]
    readings: list[ReadingOut]


class ValueOut(_Read):
    """Tasks of one feature."""

    feature: str
    tasks: int
    solved: int
    calls: int
    escalated: int
    thumbs_down: int
    microdollars: int
    microdollars_per_solved: int | None
    minutes_saved: float
    """An assumption: solved tasks by MONITORING_MINUTES_PER_TASK."""


class DecisionOut(_Read):
    """What came of a rule for retraining, with the numbers that led to it."""

    id: UUID
    rule: str
    feature: str
    prompt: str
    action: str
    state: str
    """nothing, waiting, decided, running, evaluating, proposed, done, failed or dropped."""
    reasons: list[str]
    numbers: dict[str, Any]
    looked_at: datetime
    model: str
    trained_tokens: int
    run_id: UUID | None
    why: str


def share_out(one: Share) -> ShareOut:
    found = one.interval
    return ShareOut(hits=one.hits, of=one.of, value=found.value, low=found.low, high=found.high)


def version_out(one: Quality) -> VersionOut:
    return VersionOut(
        feature=one.feature,
        prompt=one.prompt,
        prompt_version=one.prompt_version,
        model=one.model,
        judged=one.judged,
        shares={name: share_out(share) for name, share in one.shares.items()},
    )
