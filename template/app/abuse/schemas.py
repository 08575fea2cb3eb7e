"""Shapes of the JSON API, and of the pages' forms."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Kind = Literal["stuffing", "spraying", "sign-up-flood", "scraping", "extraction"]
SubjectKind = Literal["address", "network", "everyone", "person", "key", "organization"]
MeasureKind = Literal["slow", "challenge", "suspend"]
Reason = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=3, max_length=300, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$"
    ),
]
MONTH = 60 * 24 * 30


class SightingOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    kind: Kind
    subject_kind: SubjectKind
    subject: str = Field(description="A network, or the id of a person, key or organisation.")
    count: int
    usual: int = Field(description="How much of it is usual.")
    measure: MeasureKind | None = Field(description="The strictest that followed.")
    created_at: datetime
    last_at: datetime


class SightingPage(BaseModel):
    sightings: list[SightingOut]
    next: UUID | None = Field(description="Pass it as `before` for the page of older ones.")


class MeasureOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    measure: MeasureKind
    scope: Literal["sign-in", "sign-up", "requests", "model", "all"]
    subject_kind: SubjectKind
    subject: str = Field(description="A network, or the id of a person, key or organisation.")
    because: str = Field(description="What was seen, or the reason that was given.")
    set_by: UUID | None = Field(description="Empty: the app itself.")
    created_at: datetime
    until: datetime
    lifted_at: datetime | None
    lifted_by: UUID | None
    lifted_because: str | None


class MeasurePage(BaseModel):
    measures: list[MeasureOut]
    next: UUID | None = Field(description="Pass it as `before` for the page of older ones.")


class MeasureIn(BaseModel):
    subject_kind: Literal["address", "person", "key", "organization"]
    subject: str = Field(
        max_length=254,
        description="An address or a network (/24, /48), or the id of a person or key.",
    )
    measure: MeasureKind
    minutes: int = Field(60, ge=1, le=MONTH)
    reason: Reason


class Lift(BaseModel):
    reason: Reason


class LockoutOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    user_id: UUID
    name: str
    email: str
    attempts: int
    until: datetime
