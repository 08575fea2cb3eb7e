from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class ExportOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    created_at: datetime
    state: Literal["waiting", "ready", "failed"]
    size: int
    """Bytes of the file."""
    expires_at: datetime
    """Until then it can be downloaded."""


class OwnData(BaseModel):
    """The file."""

    made_at: datetime
    organization: str
    tables: dict[str, list[dict[str, Any]]]
    """The rows of each table, by its name."""
    left_out: dict[str, str]
    """Why a table is not in it, by its name."""
