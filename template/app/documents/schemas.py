from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.documents.service import Audience

Question = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class DocumentOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    kind: str
    size: int
    audience: str
    roles: list[str]
    owner_id: UUID | None
    state: str
    """`waiting` until it is read, then `ready` or `refused`; `failed` when reading it broke."""
    reason: str | None
    """Why it was refused, in one word."""
    explanation: str | None = None
    """The same in a sentence."""
    notes: dict[str, Any]
    """What was read, in numbers."""
    created_at: datetime
    ready_at: datetime | None


class DocumentPage(BaseModel):
    documents: list[DocumentOut]
    next: UUID | None
    """Give it as `before` to get the next page."""


class DocumentChange(BaseModel):
    audience: Audience
    roles: Annotated[list[str], Field(max_length=20)] = []


class PassageOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    place: int
    page: int | None
    heading: str
    text: str


class PassagePage(BaseModel):
    passages: list[PassageOut]
    next: int | None
    """Give it as `after` to get the next ones."""


class HitOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    document_id: UUID
    name: str
    place: int
    page: int | None
    heading: str
    text: str
    score: float


class FiguresOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    ready: int
    waiting: int
    failed: int
    refused: int
    bytes: int
    passages: int
    waiting_since: datetime | None
    seconds_to_ready: float | None
    stale: int
    pages: int
    empty_pages: int
    mended: int
    completeness: float | None
    consistency: float | None
    soundness: float | None
    timeliness: float | None
    reasons: dict[str, int]
    index: int
    index_kind: str
    building: int | None
    built: int
    built_at: datetime | None
