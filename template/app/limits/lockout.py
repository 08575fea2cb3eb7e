"""Failed sign-ins make the next one wait, longer each time, without locking the owner out.

Strangers share one counter per login. A browser from which the person once signed in holds a
device token, and has a counter of its own: what strangers do to the login does not touch it. A
success clears the counter it was made on and no other; in particular not the rate limit by
address, or an attacker could clear it with an account of their own.

    device = await lockout.known(login, cookie) None for a stranger
    await lockout.check(login, device)          before the password is looked at
    await lockout.failed(login, device)         it was wrong
    await lockout.succeeded(login, device)      signed in, second factor included
    device = lockout.new_device(login)          the value of the cookie to set then

Each call is a transaction of its own: the one of a failed sign-in is rolled back. Who set a new
password by mail may have lost a device with the old one: `forget_devices` makes all strangers.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, LiteralString
from unicodedata import normalize
from uuid import UUID

from psycopg import OperationalError
from psycopg.rows import TupleRow
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import now
from app.core.crypto import keyed_digest, same
from app.core.errors import TooMany, Unavailable
from app.core.ids import born, uuid7
from app.core.logging import log
from app.limits.connections import fetch
from app.limits.models import ForgottenDevices
from app.limits.service import row_id, said
from app.limits.settings import LimitsSettings

DEVICE_COOKIE = "__Host-device"
DEVICE_LIFETIME = timedelta(days=365)

BEGIN: LiteralString = "SELECT lockout_begin(%(lockout)s, %(free)s, %(longest)s)"
FAIL: LiteralString = """
INSERT INTO lockouts AS l (id, attempts, unsettled, locked_until, updated_at)
VALUES (%(lockout)s, 1, 0, clock_timestamp(), clock_timestamp())
ON CONFLICT (id) DO UPDATE SET
    attempts = l.attempts + (l.unsettled = 0)::int,
    unsettled = greatest(l.unsettled - 1, 0),
    locked_until = greatest(l.locked_until, clock_timestamp() + lockout_wait(
        l.attempts + (l.unsettled = 0)::int, %(free)s, %(longest)s
    )),
    updated_at = clock_timestamp()
RETURNING greatest(extract(epoch FROM locked_until - clock_timestamp()), 0)::float8
"""
CLEAR: LiteralString = "SELECT lockout_clear(%(lockout)s)"
FORGOTTEN: LiteralString = (
    "SELECT 1 FROM forgotten_devices WHERE id = %(devices)s AND at >= %(born)s"
)


class LockedOut(TooMany):
    def __init__(self, *, retry_after: float) -> None:
        super().__init__("Too many failed attempts.", retry_after=retry_after)
        self.detail = f"Too many failed attempts. Try again in {said(self.retry_after)}."


async def check(login: str, device: str | None = None) -> None:
    """Begin an attempt; raises `LockedOut`. It counts as failed until `succeeded`."""
    row = await _fetch(BEGIN, beginning(login, device))
    if wait := row[0] if row else 1:
        raise LockedOut(retry_after=wait)


def beginning(login: str, device: str | None = None) -> dict[str, Any]:
    """What the SQL function lockout_begin() wants to know."""
    settings = LimitsSettings.load()
    return {
        "lockout": counter(login, device),
        "free": settings.lockout_free_attempts,
        "longest": settings.lockout_longest_seconds,
    }


async def failed(login: str, device: str | None = None) -> float:
    """Count a failure; the seconds until the next attempt is looked at."""
    row = await _fetch(FAIL, beginning(login, device))
    wait: float = row[0] if row else 0.0
    if wait:
        log.warning(
            "lockout.grown",
            seconds=round(wait),
            known_device=device_name(login, device) is not None,
        )
    return wait


async def succeeded(login: str, device: str | None = None) -> None:
    """Forget the failures of this counter, and of no other."""
    await _fetch(CLEAR, {"lockout": counter(login, device)})


async def _fetch(statement: LiteralString, values: Mapping[str, Any]) -> TupleRow | None:
    with counted():
        return await fetch(statement, values)


@contextmanager
def counted() -> Iterator[None]:
    """Around statements that count attempts: one that cannot be counted is not allowed."""
    try:
        yield
    except (OperationalError, TimeoutError) as error:
        log.error("lockout.unreachable", error=type(error).__name__)
        raise Unavailable("This is not possible right now; please try again.") from error


def new_device(login: str) -> str:
    """A token that tells this browser from strangers; worth nothing without the password."""
    name = uuid7().hex
    return f"{name}.{_proof(login, name)}"


def presented(login: str, cookie: str | None) -> dict[str, Any] | None:
    """What the database must be asked of a cookie: whether its device was forgotten since it was
    born. None for strangers, whose cookie is none of ours or too old."""
    if (name := device_name(login, cookie)) is None:
        return None
    try:
        moment = born(UUID(name))
    except ValueError:  # Cookies once held names that do not say when they were made.
        return None
    if moment < now() - DEVICE_LIFETIME:
        return None
    return {"devices": _devices_of(login), "born": moment}


async def known(login: str, cookie: str | None) -> str | None:
    """What the cookie holds, when the person signed in with this browser and was not reset since.

    Asks the database only about real ones; the functions above believe what comes from here.
    """
    values = presented(login, cookie)
    return None if values is None or await _fetch(FORGOTTEN, values) else cookie


async def forget_devices(db: AsyncSession, login: str) -> None:
    """From now on every browser is a stranger to this login. In an elevated transaction."""
    values: dict[str, UUID | datetime] = {"at": now()}
    await db.execute(
        insert(ForgottenDevices)
        .values(id=_devices_of(login), **values)
        .on_conflict_do_update(index_elements=["id"], set_=values)
    )


def _devices_of(login: str) -> UUID:
    return row_id(_exact(login), "devices")


def counter(login: str, device: str | None) -> UUID:
    """Where the failures are counted: at the known device, or with those of all strangers."""
    name = device_name(login, device) or ""
    return row_id(f"{normal(login)}\0{name}", "lockout")


def device_name(login: str, device: str | None) -> str | None:
    """What a browser is called from which the person once signed in; None for strangers."""
    name, _, proof = (device or "").partition(".")
    known = bool(proof) and same(proof.encode(), _proof(login, name).encode())
    return name if known else None


def _proof(login: str, name: str) -> str:
    # Narrower than the counter: who owns a look-alike login must not mint devices for this one.
    return keyed_digest(f"{_exact(login)}\0{name}", "device").hex()


def _exact(login: str) -> str:
    return normalize("NFC", login).strip().lower()


def normal(login: str) -> str:
    """One counter for all ways to write a login: neither case nor width is a fresh start."""
    return normalize("NFKC", login).strip().casefold()
