"""Shapes of the JSON API."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict

Hash = Annotated[str, BeforeValidator(bytes.hex)]


class EventOut(BaseModel):
    """Everything that the hash covers, so that a chain can be checked outside."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    organization_id: UUID | None
    sequence: int
    created_at: datetime
    user_id: UUID | None
    session_id: UUID | None
    action: str
    target: str | None
    detail: dict[str, Any]
    request_id: str | None
    network: str | None
    on_behalf_of: UUID | None
    previous_hash: Hash
    hash: Hash


class EventPage(BaseModel):
    events: list[EventOut]
    next: int | None
    """Pass it as `before` for the page of older events."""
