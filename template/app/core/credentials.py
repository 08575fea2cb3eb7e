"""Credentials for programs, written so that scanners for leaked secrets know them.

<brand>_live_<37 random characters><6 of checksum>   an API key in production, elsewhere _test_
<brand>_at_<72 characters>                           an access token
<brand>_rt_<72 characters>                           a refresh token

All characters are of base 62. `PATTERN` is the regular expression to give to a scanner.
"""

import re
import secrets
import string
from functools import cache
from zlib import crc32

from app.core.settings import answers, get_settings

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM, CHECKSUM, SIGNED = 37, 6, 72
KEY_KINDS, TOKEN_KINDS = ("live", "test"), ("at", "rt")


@cache
def brand() -> str:
    """The project's slug, in letters and digits that no scanner's pattern stumbles over."""
    plain = re.sub(r"[^a-z0-9]", "", str(answers()["project"]["slug"]).lower())[:20]
    return plain if plain[:1].isalpha() else f"app{plain}"


def prefix(kind: str) -> str:
    return f"{brand()}_{kind}_"


def key_kind() -> str:
    """Keys of production say so, so that a leaked one is known for what it is."""
    return "live" if get_settings().production else "test"


@cache
def pattern() -> str:
    """What our credentials look like, as a regular expression."""
    return (
        rf"{brand()}_(?:(?:{'|'.join(KEY_KINDS)})_[0-9A-Za-z]{{{RANDOM + CHECKSUM}}}"
        rf"|(?:{'|'.join(TOKEN_KINDS)})_[0-9A-Za-z]{{{SIGNED}}})"
    )


def new_key() -> str:
    """A key with 220 random bits and a checksum."""
    body = prefix(key_kind()) + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM))
    return body + _checksum(body)


def is_key(text: str) -> bool:
    """Whether this may be a key of ours; wrong ones are told apart without asking the database."""
    body, checksum = text[:-CHECKSUM], text[-CHECKSUM:]
    begins = prefix(key_kind())
    return (
        len(text) == len(begins) + RANDOM + CHECKSUM
        and text.startswith(begins)
        and text.isascii()
        and checksum == _checksum(body)
    )


def _checksum(body: str) -> str:
    return base62(crc32(body.encode()).to_bytes(4, "big"), CHECKSUM)


def base62(data: bytes, length: int) -> str:
    """Bytes as so many characters; `from_base62` gives them back."""
    number, found = int.from_bytes(data, "big"), ""
    for _ in range(length):
        number, rest = divmod(number, 62)
        found = ALPHABET[rest] + found
    return found


def from_base62(text: str, size: int) -> bytes:
    """Raises `ValueError` for what `base62` did not write."""
    number = 0
    for character in text:
        number = number * 62 + ALPHABET.index(character)
    try:
        return number.to_bytes(size, "big")
    except OverflowError as error:
        raise ValueError("More than these bytes hold.") from error
