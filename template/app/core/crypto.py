"""Tokens, keyed digests and encrypted fields.

Encrypted fields are AES-256-GCM with the row and column as associated data, so a ciphertext moved
to another row or column does not decrypt. Format: version byte, key id, zero byte, nonce, text.
"""

import hashlib
import hmac
import os
import secrets
from base64 import b64decode, b64encode
from functools import cache, lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import AEADDecryptionContext, Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM

from app.core.settings import get_settings

VERSION = b"\x01"
NONCE_BYTES = 12
TAG_BYTES = 16


class Undecipherable(Exception):
    """The text was not encrypted here, for this place, with a key that we hold."""


def new_token() -> str:
    """A secret of 256 bits that is safe in a URL."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What we store of a 256-bit token: its SHA-256. Too slow to guess, no salt needed."""
    return hashlib.sha256(token.encode()).digest()


def keyed_digest(value: str, purpose: str) -> bytes:
    """HMAC-SHA256 of a value that might be guessed; digests of two purposes never match."""
    found = _keyed(get_settings().secret_key.get_secret_value()).copy()
    found.update(f"{purpose}\0{value}".encode())
    return found.digest()


@lru_cache(maxsize=2)
def _keyed(key: str) -> hmac.HMAC:
    """Prepared once: that takes longer than a digest, and a sign-in takes half a dozen."""
    return hmac.new(key.encode(), digestmod="sha256")


def same(one: bytes | str, other: bytes | str) -> bool:
    """Compare in constant time."""
    one = one.encode() if isinstance(one, str) else one
    other = other.encode() if isinstance(other, str) else other
    return hmac.compare_digest(one, other)


def new_key() -> str:
    """A line for ENCRYPTION_KEYS."""
    return f"{secrets.token_hex(4)}:{b64encode(os.urandom(32)).decode()}"


def encrypt(text: str, context: str) -> bytes:
    """Encrypt for one place only, such as `totp_devices.secret:<row id>`."""
    cipher = next(iter(_keyring().values()))
    nonce = os.urandom(NONCE_BYTES)
    return newest() + nonce + cipher.encrypt(nonce, text.encode(), context.encode())


def newest() -> bytes:
    """How everything begins that the newest key encrypted."""
    return VERSION + next(iter(_keyring())).encode() + b"\0"


def decrypt(blob: bytes, context: str) -> str:
    """Raises `Undecipherable`."""
    head, _, rest = blob.partition(b"\0")
    cipher = _keyring().get(head[1:].decode("ascii", "replace"))
    if head[:1] != VERSION or cipher is None:
        raise Undecipherable
    try:
        text = cipher.decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], context.encode())
    except (InvalidTag, ValueError) as error:
        raise Undecipherable from error
    return text.decode()


class Opening:
    """Decrypt what `encrypt` made piece by piece: one large text at once holds everyone up.

    Nothing of it may leave before `finish` has seen that it is whole and unchanged.
    """

    def __init__(self, first: bytes, context: str) -> None:
        """With the beginning, in which the nonce stands whole. Raises `Undecipherable`."""
        head, _, rest = first.partition(b"\0")
        key = _keys().get(head[1:].decode("ascii", "replace"))
        if head[:1] != VERSION or key is None or len(rest) < NONCE_BYTES:
            raise Undecipherable
        self._cipher: AEADDecryptionContext = Cipher(AES(key), GCM(rest[:NONCE_BYTES])).decryptor()
        self._cipher.authenticate_additional_data(context.encode())
        self._held = rest[NONCE_BYTES:]

    def opened(self, further: bytes = b"") -> bytes:
        """The text as far as it is there, as UTF-8. The tag stands last, so its length stays."""
        given = self._held + further
        self._held = given[-TAG_BYTES:]
        return self._cipher.update(given[:-TAG_BYTES])

    def finish(self) -> None:
        """Raises `Undecipherable`."""
        try:
            self._cipher.finalize_with_tag(self._held)
        except (InvalidTag, ValueError) as error:
            raise Undecipherable from error


@cache
def _keyring() -> dict[str, AESGCM]:
    return {name: AESGCM(key) for name, key in _keys().items()}


def _keys() -> dict[str, bytes]:
    entries = filter(None, get_settings().encryption_keys.get_secret_value().split(","))
    keys = {name: b64decode(key) for name, _, key in (entry.partition(":") for entry in entries)}
    if not keys:  # A laptop: `refuse_unsafe` keeps production from coming here.
        keys = {"laptop": keyed_digest("field encryption", "laptop key")}
    return keys
