from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.prompts.text import MOST_CHARACTERS

Label = Literal["draft", "candidate", "live"]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=MOST_CHARACTERS)]
Rationale = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class VersionIn(BaseModel):
    text: Text
    rationale: Rationale
    """Why it is changed: whoever comes next reads it."""


class LabelIn(BaseModel):
    label: Label
    reason: Reason = ""
    """Needed to release a version whose evaluation did not pass."""


class PromptOut(BaseModel):
    name: str
    purpose: str
    variables: list[str]
    labels: dict[str, int]
    """The number of the version that each label points to."""
    newest: int


class CostOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    model: str
    tokens: int
    microdollars: int
    """For a thousand calls, nothing of it cached by the provider."""
    price_known: bool


class VersionOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    number: int
    text: str
    variables: list[str]
    rationale: str
    author_id: UUID | None
    from_file: bool
    created_at: datetime


class VersionWithCost(VersionOut):
    cost: CostOut
    lacking: list[str]
    """What keeps it from going live."""


class MoveOut(BaseModel):
    version: int
    label: str
    gate: str
    reason: str
    moved_by: UUID | None
    created_at: datetime


class ExperimentIn(BaseModel):
    version: int = Field(ge=1, le=1_000_000)
    percent: int = Field(ge=1, le=99)
    """How many of a hundred people get it."""
    hypothesis: Rationale
    """What should become better, written down before anyone has seen a number."""
    effect: float = Field(0.1, ge=0.01, le=0.5)
    """The difference of shares that is worth finding."""
    reason: Reason = ""


class ShadowIn(BaseModel):
    version: int = Field(ge=1, le=1_000_000)
    percent: int = Field(ge=1, le=100)
    """Of a hundred answers."""
    dollars_per_day: float = Field(1, ge=0, le=10_000)


class ShadowOut(BaseModel):
    id: UUID
    version: int
    percent: int
    microdollars_per_day: int
    answers: int
    answered: int
    stopped: int
    similarity: float | None
    """To the answers that were shown, on average."""
    shown_words: float | None
    words: float | None
    microdollars: int
    created_at: datetime
    ended_at: datetime | None
    ended_because: str


class EndIn(BaseModel):
    reason: Rationale


class ExperimentOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    percent: int
    hypothesis: str
    effect: float
    created_at: datetime
    ended_at: datetime | None
    ended_because: str


class IntervalOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    value: float
    low: float
    high: float


class ArmOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    number: int
    calls: int
    people: int
    microdollars: int
    raters: int
    """People who gave a thumb; each counts once, with the latest."""
    ups: int
    share: IntervalOut


class ReadOutOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    experiment: ExperimentOut
    control: ArmOut
    candidate: ArmOut
    change: IntervalOut
    p: float
    needed: int
    """People who rate, on each side, before it can be decided."""
    is_enough: bool
    sentence: str


class DiffLineOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    kind: str
    text: str
