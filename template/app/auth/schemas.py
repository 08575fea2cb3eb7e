from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, SecretStr

from app.access.models import Session
from app.access.person import Person
from app.auth.devices import device_name
from app.users.schemas import DisplayName, Email

Level = Literal["full", "pending"]
Secret = Annotated[SecretStr, Field(max_length=1024)]
NewSecret = Annotated[SecretStr, Field(min_length=1, max_length=1024)]
Token = Annotated[str, Field(min_length=20, max_length=100)]
Code = Annotated[str, Field(min_length=6, max_length=40)]


class SignUp(BaseModel):
    email: Email
    password: NewSecret
    display_name: DisplayName
    invitation: Token | None = None


class GivenPassword(BaseModel):
    password: Secret


class ChosenPassword(BaseModel):
    password: NewSecret
    end_api_keys: bool = Field(
        False, description="Somebody else may have known the old one: revoke all API keys, too."
    )


class Activation(GivenPassword):
    token: Token


class SignIn(BaseModel):
    email: Annotated[str, Field(min_length=3, max_length=254)]
    password: Secret


class SecondFactor(BaseModel):
    code: Code
    method: Literal["totp", "recovery_code"] = "totp"


class ResetRequest(BaseModel):
    email: Email


class Reset(ChosenPassword):
    token: Token


class PasswordChange(BaseModel):
    old: Secret
    new: NewSecret


class Proof(BaseModel):
    password: Secret = Field(SecretStr(""), description="Empty for who has none.")
    code: Code | None = None
    method: Literal["totp", "recovery_code"] = Field(
        "totp", description="A recovery code stands for whatever second factor was lost."
    )


class SessionState(BaseModel):
    """`level` is "pending" while the second factor is still to come."""

    level: Level
    csrf_token: str = Field(description="Send it as X-CSRF-Token with every change.")
    second_factors: list[str] = Field(
        default_factory=list, description="While it is pending: what can finish it."
    )


class Told(BaseModel):
    message: str


class OpenerOut(BaseModel):
    kind: str = Field(description="In words, such as Passkey.")
    name: str = Field(description="What its owner called it, or what tells it from others.")
    added_at: datetime = Field(description="When it, or the secret that it has now, was made.")


class ResetDone(Told):
    opens: list[OpenerOut] = Field(
        description="What opens the account beside the password, or is asked for with it."
    )


class Enrolment(BaseModel):
    secret: str
    uri: str = Field(description="Show it as a QR code.")


class RecoveryCodes(BaseModel):
    codes: list[str] = Field(description="Shown once; each works once.")
    csrf_token: str | None = None


class CodeIn(BaseModel):
    code: Code


class SessionOut(BaseModel):
    id: UUID
    address: str
    user_agent: str
    device: str = Field(description="The same in words, such as Firefox on Linux.")
    created_at: datetime
    last_seen_at: datetime
    second_factor: bool
    current: bool
    impersonated: bool = Field(description="It is an administrator who works as this person.")

    @classmethod
    def shown_to(cls, person: Person, session: Session) -> Self:
        return cls(
            id=session.id,
            address=session.address,
            user_agent=session.user_agent,
            device=device_name(session.user_agent),
            created_at=session.created_at,
            last_seen_at=session.last_seen_at,
            second_factor=session.second_factor,
            current=session.id == person.session_id,
            impersonated=session.impersonator_session_id is not None,
        )


class Ended(BaseModel):
    ended: int = Field(description="How many sessions ended.")


class Removed(BaseModel):
    kinds: list[str]


class MemberSignIns(BaseModel):
    second_factors: list[str]
    sessions: list[SessionOut]


class NewEmail(BaseModel):
    email: Email


class LinkToken(BaseModel):
    token: Token


class EmailOut(BaseModel):
    email: str
    pending: str | None = Field(description="The new address, while it is not confirmed.")
    expires_at: datetime | None


class SecurityOut(BaseModel):
    second_factor: bool
    second_factors: list[str] = Field(description="The kinds that are set up.")
    recovery_codes_left: int
    opens: list[OpenerOut] = Field(
        description="What opens the account beside the password, or is asked for with it."
    )


@dataclass(frozen=True)
class SignedIn:
    """What signing in leads to: two cookies, and how far it got."""

    token: str = field(repr=False)
    level: Level
    device: str | None = field(repr=False)
    second_factors: tuple[str, ...] = ()
    """While it is pending: the kinds that can finish it."""
