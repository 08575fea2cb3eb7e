"""Keep a file, read it, remove it.

Each file has a key of its own, which its owner keeps (in an encrypted column): who deletes that
key has made the file unreadable, wherever copies of it are. What is kept is a row of pieces,
AES-256-GCM, each with its number, so that none can be left out, moved or put in another file.
"""

import hashlib
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from types import ModuleType
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.core.errors import NotFound, TooLarge, Unavailable
from app.storage.settings import StorageSettings

PIECE = 256 * 1024
TAG = 16
NAME = re.compile(r"[0-9a-f]{32}/[0-9a-f]{32}")


class FileTooLarge(TooLarge):
    pass


class NoSuchFile(NotFound):
    def __init__(self) -> None:
        super().__init__("This file is no longer there.")


class StorageUnreachable(Unavailable):
    """The disk or the server does not answer."""


class FileDamaged(Exception):
    """What is kept is not what was given: cut, changed, or another file's."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What its owner has to remember of a file."""

    name: str
    secret: str = field(repr=False)
    size: int
    sha256: bytes


def new_name(organization_id: UUID) -> str:
    """Where a file will be kept: a place of the organisation's, and nothing that anyone typed."""
    return f"{organization_id.hex}/{secrets.token_hex(16)}"


async def keep(name: str, chunks: AsyncIterable[bytes], *, most: int) -> Stored:
    """Encrypt and keep what comes, all or nothing. Raises `FileTooLarge` over `most` bytes."""
    _check(name)
    key, size, seen = AESGCM.generate_key(256), 0, hashlib.sha256()

    async def counted() -> AsyncGenerator[bytes, None]:
        nonlocal size
        async for chunk in chunks:
            size += len(chunk)
            if size > most:
                raise FileTooLarge(f"The file is larger than the {most:,} bytes that are accepted.")
            seen.update(chunk)
            yield chunk

    async with aclosing(counted()) as given, aclosing(_encrypted(name, key, given)) as pieces:
        await _backend().put(name, pieces)
    return Stored(name, b64encode(key).decode(), size, seen.digest())


async def read(name: str, secret: str) -> AsyncGenerator[bytes, None]:
    """The file, piece by piece. Raises `NoSuchFile`, or `FileDamaged` before a wrong byte."""
    _check(name)
    cipher, number = AESGCM(b64decode(secret)), 0
    async with aclosing(_backend().get(name)) as kept:
        async for piece, last in _pieces(kept, PIECE + TAG):
            try:
                yield cipher.decrypt(_nonce(number, last), piece, name.encode())
            except InvalidTag as error:
                raise FileDamaged(name) from error
            number += 1


async def remove(name: str) -> None:
    """Delete a file; nothing happens when it is not there."""
    _check(name)
    await _backend().delete(name)


async def names() -> list[str]:
    """Every file that is kept."""
    return [name for name in await _backend().names() if NAME.fullmatch(name)]


async def stored(name: str) -> AsyncGenerator[bytes, None]:
    """A file as it is stored, for a backup: only its owner's key opens it."""
    _check(name)
    async with aclosing(_backend().get(name)) as kept:
        async for piece in kept:
            yield piece


async def store_again(name: str, pieces: AsyncIterable[bytes]) -> None:
    """What `stored` gave, from a backup."""
    _check(name)
    await _backend().put(name, pieces)


async def sweep(*, before: datetime) -> None:
    """Delete what a process left half written that died before this moment."""
    await _backend().sweep(before)


async def check() -> None:
    """Raise when files can neither be kept nor read."""
    await _backend().check()


async def _encrypted(
    name: str, key: bytes, chunks: AsyncIterator[bytes]
) -> AsyncGenerator[bytes, None]:
    cipher, number = AESGCM(key), 0
    async for piece, last in _pieces(chunks, PIECE):
        yield cipher.encrypt(_nonce(number, last), piece, name.encode())
        number += 1


async def _pieces(
    chunks: AsyncIterator[bytes], size: int
) -> AsyncGenerator[tuple[bytes, bool], None]:
    """Pieces of one size and whether each is the last; an empty file is one empty piece."""
    waiting = bytearray()
    async for chunk in chunks:
        waiting += chunk
        while len(waiting) > size:
            yield bytes(waiting[:size]), False
            del waiting[:size]
    yield bytes(waiting), True


def _nonce(number: int, last: bool) -> bytes:
    """Each file has its own key, so a number is never used twice with one."""
    return bytes(7) + number.to_bytes(4, "big") + bytes([last])


def _check(name: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError("no name that new_name() gave")


def _backend() -> ModuleType:
    # The client for servers is only imported where files are kept on one.
    if StorageSettings.load().backend == "s3":
        from app.storage import s3

        return s3
    from app.storage import disk

    return disk
