from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints


class FeedbackIn(BaseModel):
    rating: Literal["up", "down"]
    comment: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)] = ""
    correction: Annotated[str, StringConstraints(strip_whitespace=True, max_length=8000)] = ""
    """What the answer should have been."""


class FeedbackOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    call_id: UUID
    rating: str
    comment: str
    correction: str
    updated_at: datetime


class GivenOut(FeedbackOut):
    """With who said it, and what kind of answer it was."""

    id: UUID
    user_id: UUID
    display_name: str
    feature: str
    model: str
    prompt: str
    prompt_version: int | None


class GivenPage(BaseModel):
    feedback: list[GivenOut]
    next: UUID | None
    """`before` of the next page."""
