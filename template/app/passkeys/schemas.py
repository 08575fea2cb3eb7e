"""What browsers send, with the names that WebAuthn gives it, and what we tell of a passkey."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, Json

from app.users.schemas import DisplayName

Name = Annotated[DisplayName, Field(max_length=60)]
Bytes = Annotated[str, Field(max_length=8000, pattern=r"^[A-Za-z0-9_-]+$")]
CredentialId = Annotated[str, Field(max_length=1364, pattern=r"^[A-Za-z0-9_-]+$")]
Kind = Literal["public-key"]

BY_ALIAS = ConfigDict(validate_by_alias=True, serialize_by_alias=True)


class AttestationResponse(BaseModel):
    model_config = BY_ALIAS

    client_data_json: Bytes = Field(alias="clientDataJSON")
    attestation_object: Bytes = Field(alias="attestationObject")
    transports: list[Annotated[str, Field(max_length=20)]] = Field(default=[], max_length=10)


class Attestation(BaseModel):
    """A new public key: what `navigator.credentials.create()` gives, as JSON."""

    model_config = BY_ALIAS

    id: CredentialId
    raw_id: CredentialId = Field(alias="rawId")
    type: Kind
    response: AttestationResponse


class AssertionResponse(BaseModel):
    model_config = BY_ALIAS

    client_data_json: Bytes = Field(alias="clientDataJSON")
    authenticator_data: Bytes = Field(alias="authenticatorData")
    signature: Bytes
    user_handle: Bytes | None = Field(default=None, alias="userHandle")


class Assertion(BaseModel):
    """A signed challenge: what `navigator.credentials.get()` gives, as JSON."""

    model_config = BY_ALIAS

    id: CredentialId
    raw_id: CredentialId = Field(alias="rawId")
    type: Kind
    response: AssertionResponse


class NewPasskey(BaseModel):
    name: Name
    credential: Attestation


class Rename(BaseModel):
    name: Name


class Proven(BaseModel):
    credential: Assertion


class NewPasskeyForm(BaseModel):
    """Of a page: its script puts the credential into a hidden field."""

    name: Name
    credential: Json[Attestation]


class ProvenForm(BaseModel):
    credential: Json[Assertion]


class Options(BaseModel):
    """For `navigator.credentials`; binary values are base64url."""

    public_key: dict[str, Any] = Field(serialization_alias="publicKey")


class PasskeyOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    synced: bool = Field(description="Its keeper may copy it to other devices of the person.")
    created_at: datetime
    last_used_at: datetime | None
    copied_at: datetime | None = Field(
        description="Since then it opens nothing: its counter went back, as that of a copy does."
    )


class PasskeyAdded(BaseModel):
    passkey: PasskeyOut
    codes: list[str] = Field(description="Recovery codes, with a first second factor; shown once.")
    csrf_token: str | None = Field(description="Of the new session, if there is one.")
