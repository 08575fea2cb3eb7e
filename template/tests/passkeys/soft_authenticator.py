"""An authenticator in software: it answers as a browser would send it, or wrongly on purpose.

authenticator = SoftAuthenticator()
answer = authenticator.create(options, ORIGIN)      what navigator.credentials.create() gives
answer = authenticator.get(options, ORIGIN)         what navigator.credentials.get() gives
"""

import base64
import copy
import hashlib
import json
import secrets
import struct
from dataclasses import dataclass
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

ORIGIN = "https://testserver"
ES256, EDDSA, RS256 = -7, -8, -257

PRESENT, VERIFIED, MAY_BE_COPIED, COPIED, WITH_KEY = 0x01, 0x04, 0x08, 0x10, 0x40


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def data(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Credential:
    rp_id: str
    handle: str
    key: Any
    count: int


class SoftAuthenticator:
    """`algorithm` is the one it makes keys with; a `synced` one counts nothing."""

    def __init__(
        self, *, algorithm: int = ES256, verified: bool = True, synced: bool = False
    ) -> None:
        self.algorithm = algorithm
        self.verified = verified
        self.synced = synced
        self.credentials: dict[bytes, Credential] = {}

    def copied(self) -> "SoftAuthenticator":
        """What a thief of its memory has."""
        other = SoftAuthenticator(algorithm=self.algorithm, verified=self.verified)
        other.credentials = {name: copy.copy(one) for name, one in self.credentials.items()}
        return other

    def create(self, options: dict[str, Any], origin: str = ORIGIN) -> dict[str, Any]:
        assert self.algorithm in [one["alg"] for one in options["pubKeyCredParams"]]
        excluded = {data(one["id"]) for one in options.get("excludeCredentials", [])}
        if excluded & self.credentials.keys():
            raise RuntimeError("InvalidStateError")  # as browsers name it
        name, key = secrets.token_bytes(32), _new_key(self.algorithm)
        self.credentials[name] = Credential(options["rp"]["id"], options["user"]["id"], key, 0)
        told = self._flags(with_key=True) + struct.pack(">I", 0) + b"\0" * 16
        told += struct.pack(">H", len(name)) + name + _cose(key)
        told = hashlib.sha256(options["rp"]["id"].encode()).digest() + told
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": told})
        return self._answer(
            name,
            clientDataJSON=text(_client_data("webauthn.create", options["challenge"], origin)),
            attestationObject=text(attestation),
            transports=["internal", "hybrid"],
        )

    def get(
        self,
        options: dict[str, Any],
        origin: str = ORIGIN,
        *,
        rp_id: str | None = None,
        challenge: str | None = None,
        count: int | None = None,
        handle: str | None = None,
        cross_origin: bool = False,
    ) -> dict[str, Any]:
        """Sign the challenge; what is given besides the options is told instead of the truth."""
        allowed = {data(one["id"]) for one in options["allowCredentials"]} or self.credentials
        name = next(one for one in self.credentials if one in allowed)
        known = self.credentials[name]
        known.count += 0 if self.synced else 1
        told = hashlib.sha256((rp_id or options["rpId"]).encode()).digest() + self._flags()
        told += struct.pack(">I", known.count if count is None else count)
        asked = _client_data(
            "webauthn.get", challenge or options["challenge"], origin, cross_origin=cross_origin
        )
        return self._answer(
            name,
            clientDataJSON=text(asked),
            authenticatorData=text(told),
            signature=text(_sign(known.key, told + hashlib.sha256(asked).digest())),
            userHandle=handle or known.handle,
        )

    def _flags(self, *, with_key: bool = False) -> bytes:
        flags = PRESENT | (VERIFIED if self.verified else 0) | (WITH_KEY if with_key else 0)
        return bytes([flags | (MAY_BE_COPIED | COPIED if self.synced else 0)])

    def _answer(self, name: bytes, **response: Any) -> dict[str, Any]:
        return {
            "id": text(name),
            "rawId": text(name),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        }


def _client_data(kind: str, challenge: str, origin: str, *, cross_origin: bool = False) -> bytes:
    told = {"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": cross_origin}
    return json.dumps(told).encode()


def _new_key(algorithm: int) -> Any:
    if algorithm == ES256:
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == EDDSA:
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, 2048)


def _cose(key: Any) -> bytes:
    public = key.public_key()
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return cbor2.dumps({1: 1, 3: EDDSA, -1: 6, -2: public.public_bytes_raw()})
    numbers = public.public_numbers()
    if isinstance(key, rsa.RSAPrivateKey):
        modulus = numbers.n.to_bytes(256, "big")
        return cbor2.dumps({1: 3, 3: RS256, -1: modulus, -2: numbers.e.to_bytes(3, "big")})
    x, y = (value.to_bytes(32, "big") for value in (numbers.x, numbers.y))
    return cbor2.dumps({1: 2, 3: ES256, -1: 1, -2: x, -3: y})


def _sign(key: Any, what: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(what)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(what, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(what, ec.ECDSA(hashes.SHA256()))
