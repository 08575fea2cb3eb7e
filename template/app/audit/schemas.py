"""Shapes of the JSON API."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class EventOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    sequence: int
    created_at: datetime
    user_id: UUID | None
    session_id: UUID | None
    action: str
    target: str | None
    detail: dict[str, Any]
    request_id: str | None
    network: str | None
    previous_hash: str
    hash: str
