"""Tokens that carry what they say: a version, a session, a number and a signature over them.

Of an access token the number is the second in which it ends, of a refresh token its place in line.
"""

import struct
from uuid import UUID

from app.core import credentials
from app.core.crypto import keyed_digest, same

VERSION = 1
LAYOUT = struct.Struct(">B16sI")
SIZE = LAYOUT.size + 32


def sign(kind: str, session_id: UUID, number: int) -> str:
    """A token of the kind `at` or `rt`; one of one kind never passes for the other."""
    said = LAYOUT.pack(VERSION, session_id.bytes, number)
    body = credentials.base62(said + _signature(kind, said), credentials.SIGNED)
    return credentials.prefix(kind) + body


def read(kind: str, token: str) -> tuple[UUID, int] | None:
    """Session and number of a token that we signed; None for any other text."""
    begins = credentials.prefix(kind)
    if not token.startswith(begins) or len(token) != len(begins) + credentials.SIGNED:
        return None
    try:
        data = credentials.from_base62(token[len(begins) :], SIZE)
    except ValueError:
        return None
    said, signature = data[: LAYOUT.size], data[LAYOUT.size :]
    if not same(signature, _signature(kind, said)):
        return None
    version, session_id, number = LAYOUT.unpack(said)
    return (UUID(bytes=session_id), number) if version == VERSION else None


def _signature(kind: str, said: bytes) -> bytes:
    return keyed_digest(said.hex(), f"signed token {kind}")
