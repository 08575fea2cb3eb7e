"""Failed sign-ins make the next one wait, longer each time, without locking the owner out.

Strangers share one counter per login. A browser from which the person once signed in holds a
device token, and has a counter of its own: what strangers do to the login does not touch it. A
success clears the counter it was made on and no other; in particular not the rate limit by
address, or an attacker could clear it with an account of their own.

    await lockout.check(login, device)          before the password is looked at
    await lockout.failed(login, device)         it was wrong
    await lockout.succeeded(login, device)      signed in, second factor included
    device = lockout.new_device(login)          the value of the cookie to set then

Each call is a transaction of its own: the one of a failed sign-in is rolled back.
"""

from collections.abc import Mapping
from typing import Any, LiteralString
from unicodedata import normalize
from uuid import UUID

from psycopg import OperationalError
from psycopg.rows import TupleRow

from app.core.crypto import keyed_digest, new_token, same
from app.core.errors import TooMany, Unavailable
from app.core.logging import log
from app.limits.connections import fetch
from app.limits.service import row_id, said
from app.limits.settings import LimitsSettings

DEVICE_COOKIE = "__Host-device"

# An attempt counts when it begins: a hundred at once must not all find the counter at zero.
BEGIN: LiteralString = """
INSERT INTO lockouts AS l (id, attempts, unsettled, locked_until, updated_at)
VALUES (%(id)s, 1, 1, clock_timestamp(), clock_timestamp())
ON CONFLICT (id) DO UPDATE SET
    attempts = l.attempts + 1,
    unsettled = l.unsettled + 1,
    locked_until = clock_timestamp() + lockout_wait(l.attempts + 1, %(free)s, %(longest)s),
    updated_at = clock_timestamp()
WHERE l.locked_until <= clock_timestamp()
RETURNING attempts
"""
WAIT: LiteralString = """
SELECT extract(epoch FROM locked_until - clock_timestamp())::float8 FROM lockouts WHERE id = %(id)s
"""
FAIL: LiteralString = """
INSERT INTO lockouts AS l (id, attempts, unsettled, locked_until, updated_at)
VALUES (%(id)s, 1, 0, clock_timestamp(), clock_timestamp())
ON CONFLICT (id) DO UPDATE SET
    attempts = l.attempts + (l.unsettled = 0)::int,
    unsettled = greatest(l.unsettled - 1, 0),
    locked_until = greatest(l.locked_until, clock_timestamp() + lockout_wait(
        l.attempts + (l.unsettled = 0)::int, %(free)s, %(longest)s
    )),
    updated_at = clock_timestamp()
RETURNING greatest(extract(epoch FROM locked_until - clock_timestamp()), 0)::float8
"""
CLEAR: LiteralString = "DELETE FROM lockouts WHERE id = %(id)s"


class LockedOut(TooMany):
    def __init__(self, *, retry_after: float) -> None:
        super().__init__("Too many failed attempts.", retry_after=retry_after)
        self.detail = f"Too many failed attempts. Try again in {said(self.retry_after)}."


async def check(login: str, device: str | None = None) -> None:
    """Begin an attempt; raises `LockedOut`. It counts as failed until `succeeded`."""
    settings = LimitsSettings.load()
    values = {
        "id": _counter(login, device),
        "free": settings.lockout_free_attempts,
        "longest": settings.lockout_longest_seconds,
    }
    if await _fetch(BEGIN, values):
        return
    row = await _fetch(WAIT, {"id": values["id"]})
    raise LockedOut(retry_after=row[0] if row else 0)


async def failed(login: str, device: str | None = None) -> float:
    """Count a failure; the seconds until the next attempt is looked at."""
    settings = LimitsSettings.load()
    values = {
        "id": _counter(login, device),
        "free": settings.lockout_free_attempts,
        "longest": settings.lockout_longest_seconds,
    }
    row = await _fetch(FAIL, values)
    wait: float = row[0] if row else 0.0
    if wait:
        log.warning("lockout.grown", seconds=round(wait), known_device=_known(login, device))
    return wait


async def succeeded(login: str, device: str | None = None) -> None:
    """Forget the failures of this counter, and of no other."""
    await _fetch(CLEAR, {"id": _counter(login, device)})


async def _fetch(statement: LiteralString, values: Mapping[str, Any]) -> TupleRow | None:
    try:
        return await fetch(statement, values)
    except (OperationalError, TimeoutError) as error:
        # An attempt that cannot be counted is not allowed.
        log.error("lockout.unreachable", error=type(error).__name__)
        raise Unavailable("This is not possible right now; please try again.") from error


def new_device(login: str) -> str:
    """A token that tells this browser from strangers; worth nothing without the password."""
    name = new_token()[:22]
    return f"{name}.{_proof(login, name)}"


def _counter(login: str, device: str | None) -> UUID:
    name = (device or "").partition(".")[0] if _known(login, device) else ""
    return row_id(f"{_normal(login)}\0{name}", "lockout")


def _known(login: str, device: str | None) -> bool:
    name, _, proof = (device or "").partition(".")
    return bool(proof) and same(proof.encode(), _proof(login, name).encode())


def _proof(login: str, name: str) -> str:
    # Narrower than the counter: who owns a look-alike login must not mint devices for this one.
    exact = normalize("NFC", login).strip().lower()
    return keyed_digest(f"{exact}\0{name}", "device").hex()


def _normal(login: str) -> str:
    """One counter for all ways to write a login: neither case nor width is a fresh start."""
    return normalize("NFKC", login).strip().casefold()
