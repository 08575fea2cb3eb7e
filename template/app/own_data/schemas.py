from datetime import datetime
from typing import Literal
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
