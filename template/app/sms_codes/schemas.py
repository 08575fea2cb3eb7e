from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

Code = Annotated[str, Field(min_length=6, max_length=12)]


class NumberIn(BaseModel):
    number: str = Field(max_length=40, description="With its country code: +49 1512 3456789.")
    second_factor: bool = Field(False, description="Also ask for a texted code at sign-in.")


class CodeIn(BaseModel):
    code: Code


class ProofIn(BaseModel):
    password: SecretStr = Field(max_length=1024)
    code: Code


class PhoneOut(BaseModel):
    """The number on an account, of which only the country and the end are shown."""

    model_config = ConfigDict(from_attributes=True)

    number: str
    confirmed_at: datetime
    second_factor: bool


class CodeSent(BaseModel):
    """Where the code goes. It counts in this session only."""

    model_config = ConfigDict(from_attributes=True)

    number: str
    expires_at: datetime


class PhoneConfirmed(BaseModel):
    number: str
    recovery_codes: list[str] = Field(description="When this is the first second factor. Once.")
    csrf_token: str | None = Field(description="Of the session's new token, when it has one.")


class PhoneRemoved(BaseModel):
    csrf_token: str | None = Field(description="Of the session's new token, when it has one.")


class TextOut(BaseModel):
    """Of the dev inbox."""

    model_config = ConfigDict(from_attributes=True)

    to: str
    body: str
    status: str
    created_at: datetime
