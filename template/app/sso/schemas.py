from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class ProviderOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    name: str
    label: str


class Departure(BaseModel):
    authorization_url: str = Field(description="Send the browser there.")


class ConnectionOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    provider: str
    label: str
    email: str | None
    created_at: datetime
    last_used_at: datetime | None
