from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, EmailStr, Field, StringConstraints

RoleName = Literal["member", "reviewer", "admin"]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("Use letters that can be seen.")
    return text


DisplayName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=120),
    AfterValidator(_printable),
]
Email = Annotated[EmailStr, Field(max_length=254)]


class Me(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    user_id: UUID
    organization_id: UUID
    email: str
    display_name: str
    role: str
    second_factor: bool
    created_at: datetime
    permissions: list[str]


class ProfileChange(BaseModel):
    display_name: DisplayName


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    display_name: str
    role: str
    active: bool
    suspended: bool
    created_at: datetime


class UserPage(BaseModel):
    users: list[UserOut]
    next: UUID | None = Field(description="Give it as `after` to get the next page.")


class RoleChange(BaseModel):
    role: RoleName


class InvitationIn(BaseModel):
    email: Email
    role: RoleName = "member"


class InvitationOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    role: str
    created_at: datetime
    expires_at: datetime
