from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, EmailStr, Field, StringConstraints

RoleId = Annotated[
    str,
    StringConstraints(
        pattern=r"^(member|reviewer|admin|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"
    ),
    Field(description="A built-in role's name, or a custom role's id."),
]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("Use letters that can be seen.")
    return text


DisplayName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=120),
    AfterValidator(_printable),
]


def plain_address(address: str) -> str:
    """With letters beyond ASCII in lower case, one by one.

    Who has an account is found by comparing in lower case, and of İ and of Σ at the end of a word
    Python and PostgreSQL make different letters: free for one, an address is taken for the other.
    """
    if address.isascii():
        return address
    return "".join(one if one.isascii() else one.lower() for one in address)


Email = Annotated[EmailStr, Field(max_length=254), AfterValidator(plain_address)]


def mail_domain(text: str) -> str:
    """A domain as `Email` leaves it in an address: in lower case, xn-- turned into letters."""
    try:
        return validate_email(f"a@{text}", check_deliverability=False).domain
    except EmailNotValidError as error:
        raise ValueError("Write a mail domain like example.com.") from error


def domain_of(address: str) -> str:
    """The domain of an address that `Email` accepted, to compare with a `MailDomain`."""
    # Not casefold: to it the letter of "straße" is ss, and to the registries another domain.
    return address.rpartition("@")[2].lower()


MailDomain = Annotated[str, StringConstraints(max_length=253), AfterValidator(mail_domain)]


class OrganizationChange(BaseModel):
    name: DisplayName


class OrganizationOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    slug: str
    created_at: datetime


class Policy(BaseModel):
    """What an organisation asks of its members; null asks for nothing beyond the settings."""

    model_config = ConfigDict(from_attributes=True)

    second_factor: Literal["optional", "admins", "everyone"] = "optional"
    sign_in_methods: Annotated[list[str], Field(max_length=20)] | None = None
    second_factors: Annotated[list[str], Field(max_length=20)] | None = None
    idle_minutes: Annotated[int, Field(ge=1, le=100_000)] | None = None
    absolute_hours: Annotated[int, Field(ge=1, le=100_000)] | None = None
    mail_domains: Annotated[list[MailDomain], Field(max_length=50)] | None = None
    impersonation: bool = Field(
        True, description="Whether administrators may work as a member for a while."
    )


class ImpersonatedBy(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    user_id: UUID
    display_name: str
    ends_at: datetime


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
    impersonated_by: ImpersonatedBy | None = Field(
        description="The administrator who works as this person in this session, if one does."
    )


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
    role: RoleId


class RoleIn(BaseModel):
    name: Annotated[DisplayName, Field(max_length=60)]
    description: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_printable)
    ] = ""
    permissions: Annotated[list[Annotated[str, Field(max_length=60)]], Field(max_length=200)] = []


class RoleOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    description: str
    permissions: list[str]
    unknown: list[str] = Field(description="Of modules that are not there; they count for nothing.")
    built_in: bool
    members: int


class InvitationIn(BaseModel):
    email: Email
    role: RoleId = "member"


class InvitationOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    role: str
    created_at: datetime
    expires_at: datetime
