from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.users.schemas import DisplayName

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,38}[a-z0-9]$")]


class NewOrganization(BaseModel):
    name: DisplayName
    slug: Slug | None = None


class MyOrganization(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    slug: str
    role: str
    owned: bool
    suspended: bool
    current: bool


class MyInvitation(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    organization: str
    role: str
    expires_at: datetime


class ListedOrganization(BaseModel):
    """Numbers about it, and nothing about its people."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    slug: str
    created_at: datetime
    members: int
    suspended: int
    second_factor: str


class OrganizationPage(BaseModel):
    organizations: list[ListedOrganization]
    next: UUID | None = Field(description="Give it as `before` to get the next page.")


class Joined(BaseModel):
    organization_id: UUID


class Entered(BaseModel):
    """The session works for this organisation now; `csrf_token` goes into X-CSRF-Token."""

    organization_id: UUID
    csrf_token: str


class Left(BaseModel):
    """Where the session went; both null when no organisation lets it in and it has ended."""

    organization_id: UUID | None
    csrf_token: str | None


class NewOwner(BaseModel):
    user_id: UUID


class Deletion(BaseModel):
    name: Annotated[str, StringConstraints(max_length=200)]
