from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.api_keys import service
from app.api_keys.models import ApiKey
from app.users.schemas import DisplayName

Scope = Annotated[str, Field(max_length=60)]
Days = Annotated[int, Field(ge=1, le=3650)]


class KeyIn(BaseModel):
    name: Annotated[DisplayName, Field(max_length=80)]
    scopes: Annotated[
        list[Annotated[str, Field(max_length=60)]], Field(min_length=1, max_length=200)
    ]
    expires_in_days: Days | None = None


class Renewal(BaseModel):
    expires_in_days: Days | None = None
    grace_hours: Annotated[int, Field(ge=0, le=8760)] = 0


class KeyOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    ending: str = Field(description="The last characters of the secret.")
    scopes: list[str]
    state: str = Field(description="active, expired or revoked")
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    previous_until: datetime | None = Field(description="Until then the old secret works, too.")


class OwnedKeyOut(KeyOut):
    user_id: UUID
    owner: str
    email: str


class OwnedKeyPage(BaseModel):
    keys: list[OwnedKeyOut]
    next: UUID | None = Field(description="Pass it as `before` for the page of older ones.")


class NewKeyOut(KeyOut):
    secret: str = Field(description="Shown once. Send it as `Authorization: Bearer <secret>`.")


def told(key: ApiKey) -> dict[str, object]:
    """What is told about a key."""
    names = (*KeyOut.model_fields, "user_id")
    return {name: getattr(key, name) for name in names if name != "state"} | {
        "state": service.state(key)
    }
