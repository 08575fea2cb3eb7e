from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints


class FeedbackIn(BaseModel):
    rating: Literal["up", "down"]
    comment: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)] = ""


class FeedbackOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    call_id: UUID
    rating: str
    comment: str
    updated_at: datetime
