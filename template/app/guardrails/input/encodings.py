"""What a text says when its encoded parts are read: base64, hexadecimal, %xx, entities, ROT13."""

import codecs
import html
import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator
from itertools import islice
from urllib.parse import unquote

MOST_PARTS = 8
DEEPEST = 2
SMALLEST_SHARE_OF_TEXT = 0.9
BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}={0,2}")
HEXADECIMAL = re.compile(r"(?<![0-9A-Fa-f])(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[ ,:]?){8,}")
HEX_PREFIX = re.compile(r"0x|\\x|[ ,:]")
PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2}.{0,3}){3}")
ENTITY = re.compile(r"(?:&#x?[0-9A-Fa-f]{2,6};.{0,3}){3}")
# "instruction" and "prompt", turned by 13 and written backwards.
TURNED = re.compile("vafgehpgvba|cebzcg", re.IGNORECASE)
BACKWARDS = re.compile("noitcurtsni|tpmorp", re.IGNORECASE)


def decoded(text: str, depth: int = DEEPEST) -> Iterator[str]:
    """Texts that the encoded parts of a text say, also those inside them."""
    for said in _decoded_once(text):
        yield said
        if depth > 1:
            yield from decoded(said, depth - 1)


def _decoded_once(text: str) -> Iterator[str]:
    yield from _parts(BASE64, text, _from_base64)
    yield from _parts(HEXADECIMAL, text, _from_hexadecimal)
    if PERCENT.search(text):
        yield unquote(text, errors="ignore")
    if ENTITY.search(text):
        yield html.unescape(text)
    if TURNED.search(text):
        yield codecs.encode(text, "rot13")
    if BACKWARDS.search(text):
        yield text[::-1]


def _parts(pattern: re.Pattern[str], text: str, decode: Callable[[str], str]) -> Iterator[str]:
    for found in islice(pattern.finditer(text), MOST_PARTS):
        if said := decode(found[0]):
            yield said


def _from_base64(part: str) -> str:
    part = part.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return _text(b64decode(part + "=" * (-len(part) % 4)))
    except (NotBase64, ValueError):
        return ""


def _from_hexadecimal(part: str) -> str:
    digits = HEX_PREFIX.sub("", part)
    return _text(bytes.fromhex(digits[: len(digits) // 2 * 2]))


def _text(data: bytes) -> str:
    """The text in some bytes, or nothing when they are no text."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ""
    likely = sum(c.isalpha() or c.isspace() or c in ".,:;!?'\"-" for c in text)
    return text if likely >= SMALLEST_SHARE_OF_TEXT * len(text) else ""
