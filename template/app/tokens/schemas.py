from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.auth.schemas import Code, SignIn
from app.users.schemas import DisplayName


class TokenSignIn(SignIn):
    device_name: Annotated[DisplayName, Field(max_length=40)] = "Program"


class TokenSecondFactor(BaseModel):
    code: Code
    method: Annotated[str, Field(max_length=20)] = Field(
        "totp",
        description="totp, recovery_code, or what else of `second_factors` is a code, such as sms.",
    )


class Refresh(BaseModel):
    refresh_token: Annotated[str, Field(min_length=20, max_length=200)]


class TokensOut(BaseModel):
    """`level` is "pending" while the second factor is still to come."""

    model_config = ConfigDict(from_attributes=True)

    level: Literal["full", "pending"]
    session_id: UUID
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    access_token: str = Field(description="Send it as `Authorization: Bearer <access_token>`.")
    expires_in: int = Field(description="Seconds.")
    refresh_token: str | None = Field(description="Works once; gives the next one.")
    second_factors: list[str] = Field(description="What can be the second step, when it is open.")
