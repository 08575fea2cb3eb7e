"""Files in a folder. No name leads out of it: `service` lets only hexadecimal digits through."""

import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO

from anyio import to_thread

from app.storage.service import PIECE, NoSuchFile, StorageUnreachable
from app.storage.settings import StorageSettings

INCOMING = "incoming"


async def put(name: str, pieces: AsyncIterable[bytes]) -> None:
    """Written beside and moved when it is whole and on the disk: nobody ever sees half a file."""
    target = _folder() / name
    waiting = _folder() / INCOMING / secrets.token_hex(16)
    try:
        file = await to_thread.run_sync(_create, waiting)
        try:
            async for piece in pieces:
                await to_thread.run_sync(file.write, piece)
            await to_thread.run_sync(_finish, file, waiting, target)
        finally:
            file.close()
            with suppress(FileNotFoundError):
                waiting.unlink()
    except OSError as error:
        raise StorageUnreachable("The file could not be kept; please try again.") from error


async def get(name: str) -> AsyncGenerator[bytes, None]:
    try:
        file = await to_thread.run_sync((_folder() / name).open, "rb")
    except FileNotFoundError as error:
        raise NoSuchFile from error
    except OSError as error:
        raise StorageUnreachable("The file cannot be read now; please try again.") from error
    with file:
        while piece := await to_thread.run_sync(file.read, PIECE):
            yield piece


async def delete(name: str) -> None:
    try:
        await to_thread.run_sync(lambda: (_folder() / name).unlink(missing_ok=True))
    except OSError as error:
        raise StorageUnreachable("The file could not be deleted.") from error


async def names() -> list[str]:
    def found() -> list[str]:
        folder = _folder()
        return sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*"))

    return await to_thread.run_sync(found)


async def sweep(before: datetime) -> None:
    def remove() -> None:
        for path in (_folder() / INCOMING).glob("*"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < before.timestamp():
                    path.unlink()

    try:
        await to_thread.run_sync(remove)
    except OSError as error:
        raise StorageUnreachable("What was left could not be deleted.") from error


async def check() -> None:
    def write() -> None:
        _create(probe := _folder() / INCOMING / secrets.token_hex(16)).close()
        probe.unlink()

    await to_thread.run_sync(write)


def _folder() -> Path:
    return StorageSettings.load().folder


def _create(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _finish(file: IO[bytes], waiting: Path, target: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    waiting.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # Or the name could be lost with the power, and the file with it.
    finally:
        os.close(folder)
