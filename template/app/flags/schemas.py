"""Shapes of the JSON API and of the form."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class FlagOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    name: str
    purpose: str
    enabled: bool
    share: int
    organizations: list[UUID]
    off_for: list[UUID]
    roles: list[str]
    reason: str
    changed_by: str
    changed_at: datetime | None
    is_set: bool


class FlagIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    enabled: bool
    share: int = Field(100, ge=0, le=100)
    """Per cent of people, the same ones each time."""
    organizations: list[UUID] = Field([], max_length=500)
    """Empty: all."""
    off_for: list[UUID] | None = Field(None, max_length=500)
    """It is off in these organisations, whatever else is set. Left out: as it was."""
    roles: list[Annotated[str, StringConstraints(max_length=36)]] = Field([], max_length=50)
    """Empty: all."""
    reason: Reason
