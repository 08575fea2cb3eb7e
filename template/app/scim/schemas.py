from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class TokenOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class TokenMade(BaseModel):
    token: str = Field(description="Shown this once.")
    url: str = Field(description="What the directory calls the tenant's address.")
