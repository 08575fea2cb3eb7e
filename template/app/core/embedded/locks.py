"""Locks on files: the kernel drops those of a killed process, so none is ever left behind."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.embedded import keeper
from app.core.errors import CannotStart

WAIT_SECONDS = 120


@contextmanager
def locked(path: Path) -> Iterator[int]:
    fd = lock(path)
    try:
        yield fd
    finally:
        os.close(fd)


def lock(path: Path, *, shared: bool = False, patient: bool = True) -> int:
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if not patient or time.monotonic() > deadline:
                os.close(fd)
                raise CannotStart(
                    f"Another process has held {path} for {WAIT_SECONDS} s: end it and try again."
                ) from None
            time.sleep(0.01)
        except BaseException:
            os.close(fd)
            raise
        else:
            return fd


def held(path: Path) -> bool:
    return keeper.held(str(path))
