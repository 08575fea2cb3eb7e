from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints

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


class DiffLineOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    kind: str
    text: str
