"""Why the embedded database cannot run, in one sentence that says what to do."""

import errno
import os
import re
from pathlib import Path

from app.core.errors import CannotStart

GRAVE = "(PANIC|FATAL|error):|^(postgres|unshare):"
# Said to those who ask too early, or when the server is killed.
EXPECTED = "the database system is|unexpected postmaster exit"


class Died(CannotStart):
    """The server ended without giving a reason, as when it is killed."""


def sentence(error: OSError, folder: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full: the embedded database in {folder} needs about 100 MB, free some."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"This account may not use {error.filename or folder}: "
            "change its owner, or delete it if another account made it."
        )
    return f"The embedded database in {folder} cannot start: {error}."


def refusal(output: str, folder: Path) -> CannotStart:
    """What PostgreSQL's own words come down to."""
    if os.strerror(errno.ENOSPC) in output:
        return CannotStart(sentence(OSError(errno.ENOSPC, ""), folder))
    for line in output.splitlines():
        if re.search(GRAVE, line) and not re.search(EXPECTED, line):
            advice = f"see {folder / 'server.log'}, or set DATABASE_URL."
            return CannotStart(f"PostgreSQL did not start ({line.strip()}): {advice}")
    return Died(
        f"PostgreSQL was ended from outside while it started: see {folder / 'server.log'}, "
        "and whether memory ran out."
    )
