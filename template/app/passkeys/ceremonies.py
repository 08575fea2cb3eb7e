"""The two ceremonies of WebAuthn: what we ask of an authenticator, and what its answer is worth.

No database here. The library checks type, challenge, origin, RP ID, presence, verification and
signature; single use, owner and counter are ours (`challenges.py`, `service.py`).

Imported where it is needed, because the library takes 80 ms of a start and 7 MB.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import webauthn
from webauthn.helpers import (
    base64url_to_bytes,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    options_to_json_dict,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from app.core.settings import answers, get_settings
from app.passkeys.challenges import LIFETIME, Known, PasskeyRefused
from app.passkeys.schemas import Assertion, Attestation

TIMEOUT = int(LIFETIME.total_seconds() * 1000)
# The library lets through what its parsers raise; `tests/passkeys/test_ceremonies.py` tries them.
FAULTS = (
    WebAuthnException,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    RecursionError,
    OverflowError,
)
TRANSPORTS = {one.value for one in AuthenticatorTransport}


@dataclass(frozen=True)
class NewKey:
    credential_id: bytes
    public_key: bytes
    sign_count: int
    aaguid: UUID
    transports: list[str]
    synced: bool


def origin() -> str:
    """Where our pages stand: the one place that an answer may come from."""
    public = urlsplit(get_settings().public_url)
    return f"{public.scheme}://{public.netloc}"


def rp_id() -> str:
    """Whom passkeys are made for: the host of PUBLIC_URL."""
    return urlsplit(get_settings().public_url).hostname or ""


def to_create(
    challenge: bytes, *, handle: bytes, email: str, display_name: str, have: Sequence[Known]
) -> dict[str, Any]:
    """Options for `navigator.credentials.create()`."""
    return options_to_json_dict(
        webauthn.generate_registration_options(
            rp_id=rp_id(),
            rp_name=str(answers()["project"]["name"]),
            user_id=handle,
            user_name=email,
            user_display_name=display_name,
            challenge=challenge,
            timeout=TIMEOUT,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[_descriptor(one) for one in have],
        )
    )


def to_get(challenge: bytes, have: Sequence[Known] = ()) -> dict[str, Any]:
    """Options for `navigator.credentials.get()`; with none named, the person chooses."""
    return options_to_json_dict(
        webauthn.generate_authentication_options(
            rp_id=rp_id(),
            challenge=challenge,
            timeout=TIMEOUT,
            allow_credentials=[_descriptor(one) for one in have],
            user_verification=UserVerificationRequirement.REQUIRED,
        )
    )


def _descriptor(known: Known) -> PublicKeyCredentialDescriptor:
    transports = [AuthenticatorTransport(one) for one in known.transports]
    return PublicKeyCredentialDescriptor(id=known.credential_id, transports=transports or None)


def challenge_in(answer: Attestation | Assertion) -> bytes:
    """The challenge that was signed, to look it up. Raises `PasskeyRefused`."""
    with _refusing():
        return base64url_to_bytes(_client_data(answer)["challenge"])


def _client_data(answer: Attestation | Assertion) -> dict[str, Any]:
    """What the browser saw and the authenticator signed."""
    found = json.loads(base64url_to_bytes(answer.response.client_data_json))
    if not isinstance(found, dict):
        raise PasskeyRefused
    return found


def _refuse_frames(answer: Attestation | Assertion) -> None:
    # The library does not look: no page of ours is shown inside another site.
    if _client_data(answer).get("crossOrigin"):
        raise PasskeyRefused


def credential_id(answer: Assertion) -> bytes:
    """Which passkey signed. Raises `PasskeyRefused`."""
    with _refusing():
        return base64url_to_bytes(answer.id)


def handle_in(answer: Assertion) -> bytes:
    """What the authenticator calls the person; empty when it does not tell."""
    with _refusing():
        return base64url_to_bytes(answer.response.user_handle or "")


def new_key(answer: Attestation, challenge: bytes) -> NewKey:
    """The public key in an answer to `to_create`. Raises `PasskeyRefused`."""
    with _refusing():
        _refuse_frames(answer)
        found = webauthn.verify_registration_response(
            credential=answer.model_dump(),
            expected_challenge=challenge,
            expected_rp_id=rp_id(),
            expected_origin=origin(),
            require_user_verification=True,
        )
        # A key that cannot be read would only be found out when it is needed.
        decoded_public_key_to_cryptography(
            decode_credential_public_key(found.credential_public_key)
        )
        return NewKey(
            credential_id=found.credential_id,
            public_key=found.credential_public_key,
            sign_count=found.sign_count,
            aaguid=UUID(found.aaguid),
            transports=[one for one in answer.response.transports if one in TRANSPORTS],
            synced=found.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        )


def counter_of(answer: Assertion, challenge: bytes, public_key: bytes) -> int:
    """The counter in an answer to `to_get` that this key signed. Raises `PasskeyRefused`."""
    with _refusing():
        _refuse_frames(answer)
        return webauthn.verify_authentication_response(
            credential=answer.model_dump(),
            expected_challenge=challenge,
            expected_rp_id=rp_id(),
            expected_origin=origin(),
            credential_public_key=public_key,
            # The library would look at the counter before it has looked at the signature, and
            # anyone could then make a passkey look copied. With 0 it leaves the counter to us.
            credential_current_sign_count=0,
            require_user_verification=True,
        ).new_sign_count


@contextmanager
def _refusing() -> Iterator[None]:
    """Whatever is wrong with the bytes: one refusal, which tells nothing of what was expected."""
    try:
        yield
    except FAULTS as error:
        raise PasskeyRefused from error
