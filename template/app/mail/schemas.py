from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class LetterOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    to: str
    subject: str
    body: str
    status: str
    created_at: datetime
