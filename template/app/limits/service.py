"""Rate limits that hold over all processes.

The budgets stand in PostgreSQL (the generic cell rate algorithm: one timestamp per key). While it
cannot be reached each process enforces every rate by itself: a limit may then be exceeded as many
times as there are processes, but none is ever off.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from time import monotonic
from typing import Any
from uuid import UUID

from psycopg import Error as PsycopgError

from app.core.crypto import keyed_digest
from app.core.errors import TooMany
from app.core.logging import log
from app.limits.connections import fetch
from app.limits.leases import Lease, Leases
from app.limits.rates import Rate
from app.limits.settings import LimitsSettings

__all__ = ["CLAIM", "OWED", "Claim", "Owed", "Rate", "RateLimited", "left", "owe", "take"]

TAKE = "SELECT * FROM take_from_limit(%(limit_id)s, %(spacing)s, %(depth)s, %(needed)s, %(wanted)s)"
LEFT = (
    "SELECT floor(%(depth)s - greatest(extract(epoch FROM full_at - clock_timestamp()), 0)"
    " / %(spacing)s + 1e-6)::int FROM rate_limits WHERE id = %(limit_id)s"
)
GIVE_BACK = (
    "UPDATE rate_limits SET full_at = full_at - make_interval(secs => %(spacing)s * %(unspent)s)"
    " WHERE id = %(limit_id)s"
)
SECONDS_ALONE = 1.0
# Where a request's state has what its first statement is to take.
OWED, CLAIM = "owed", "claim"


class RateLimited(TooMany):
    def __init__(self, *, retry_after: float) -> None:
        super().__init__("Too many requests.", retry_after=retry_after)
        self.detail = f"Too many requests. Try again in {said(self.retry_after)}."


def said(seconds: int) -> str:
    """`40 seconds`, `3 minutes`, `2 hours`: rounded up."""
    for size, name in ((3600, "hour"), (60, "minute")):
        if seconds > size:
            return f"{-(-seconds // size)} {name}s"
    return f"{seconds} second{'s' if seconds > 1 else ''}"


async def take(key: str, rate: Rate, cost: int = 1) -> None:
    """Count `cost` against a key's budget, such as `sign-in:203.0.113.9`; raise `RateLimited`."""
    if cost > rate.depth:
        raise ValueError("This costs more than the rate ever allows.")
    lease = _leases().of((key, rate))
    if lease.spend(cost):
        return None
    if rate.lease == 1:
        return await _ask(lease, key, rate, cost)
    # One asks for a lease, the others wait and spend it.
    async with lease.asking:
        if not lease.spend(cost):
            await _ask(lease, key, rate, cost)
    return None


async def left(key: str, rate: Rate) -> int:
    """How many a strict rate still allows, without taking one. All while nobody can be asked."""
    try:
        row = await fetch(LEFT, _asking(key, rate))
    except (PsycopgError, TimeoutError):
        return rate.depth
    return row[0] if row else rate.depth


class Owed:
    """One of a leased rate, for which the database is still to be asked."""

    def __init__(self, key: str, rate: Rate, lease: Lease) -> None:
        self.key, self.rate, self.lease = key, rate, lease
        self.settled = False

    async def take(self) -> None:
        """Take it by itself, unless it was taken."""
        if not self.settled:
            self.settled = True
            await take(self.key, self.rate)


def owe(key: str, rate: Rate) -> Owed | None:
    """Like `take`, but leaves what must be asked to a `Claim`; None when there was a lease."""
    lease = _leases().of((key, rate))
    if lease.spend(1):
        return None
    if wait := lease.refusal(1):
        raise RateLimited(retry_after=wait)
    return Owed(key, rate, lease)


class Claim:
    """One of a strict rate, for a SQL function that takes it together with its own work.

        async with claim.asking() as values:
            row = ...      SELECT retry_after FROM take_from_limit(limit_id, spacing, depth, 1, 1)
            claim.answered(row.retry_after)

    What the client's address owes comes with it, under the same names behind `address_`; none is
    owed when `address_wanted` is 0. Raises `RateLimited` when the answer is known to be no.
    """

    def __init__(self, key: str, rate: Rate, owed: Owed | None = None) -> None:
        self._key, self._rate, self._owed = key, rate, owed
        self._lease = _leases().of((key, rate))
        self._taken, self._since = False, 0.0
        if wait := self._lease.refusal(1):
            raise RateLimited(retry_after=wait)

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[dict[str, Any]]:
        """What take_from_limit() wants to know. Inside, say what it `answered`."""
        values = _asking(self._key, self._rate)
        owed = self._owed
        if owed is None or owed.settled:
            yield values | NOTHING_OWED
            return
        # As in `take`: one asks for a lease, the others wait and spend it.
        async with owed.lease.asking:
            if owed.lease.spend(1):
                owed.settled = True
                yield values | NOTHING_OWED
                return
            if wait := owed.lease.refusal(1):
                owed.settled = self._taken = True
                raise RateLimited(retry_after=wait)
            with suppress(PsycopgError, TimeoutError):
                await _give_back(owed.lease, owed.key, owed.rate)
            self._since = monotonic()
            more = _asking(owed.key, owed.rate) | {"wanted": owed.rate.lease}
            yield values | {f"address_{name.removeprefix('limit_')}": more[name] for name in more}

    def answered(
        self, retry_after: float | None, granted: int | None = None, address_wait: float = 0.0
    ) -> None:
        """What take_from_limit() said, of both; raises `RateLimited`."""
        self._taken = True
        owed = self._owed
        if owed is not None and granted is not None:
            owed.settled = True
            if not granted:
                owed.lease.refuse(1, address_wait)
                raise RateLimited(retry_after=address_wait)
            owed.lease.renew(granted, 1, since=self._since, rate=owed.rate)
        if retry_after:
            self._lease.refuse(1, retry_after)
            raise RateLimited(retry_after=retry_after)

    async def take(self) -> None:
        """Take it by itself, unless it was taken."""
        if self._taken:
            return
        self._taken = True
        if self._owed is not None:
            await self._owed.take()
        await take(self._key, self._rate)


NOTHING_OWED = {
    "address_id": None,
    "address_spacing": 1.0,
    "address_depth": 0,
    "address_wanted": 0,
}


def _asking(key: str, rate: Rate) -> dict[str, Any]:
    return {
        "limit_id": row_id(f"{key}\0{rate}", "rate limit"),
        "spacing": rate.spacing,
        "depth": rate.depth,
    }


async def _ask(lease: Lease, key: str, rate: Rate, cost: int) -> None:
    if wait := lease.refusal(cost):
        raise RateLimited(retry_after=wait)
    if monotonic() < _outage.until:
        return _alone(lease, rate, cost)
    values = _asking(key, rate) | {"needed": cost, "wanted": max(cost, rate.lease)}
    try:
        await _give_back(lease, key, rate)
        since = monotonic()
        row = await fetch(TAKE, values)
    except (PsycopgError, TimeoutError) as error:
        _outage.begin(error)
        return _alone(lease, rate, cost)
    _outage.end()
    granted, wait = row or (0, rate.spacing)
    if granted:
        return lease.renew(granted, cost, since=since, rate=rate)
    lease.refuse(cost, wait)
    raise RateLimited(retry_after=wait)


async def _give_back(lease: Lease, key: str, rate: Rate) -> None:
    """Two processes that are asked little would else use up what one client may ask."""
    if unspent := lease.unspent():
        await fetch(GIVE_BACK, _asking(key, rate) | {"unspent": unspent})


def _alone(lease: Lease, rate: Rate, cost: int) -> None:
    if wait := lease.take_alone(rate, cost):
        raise RateLimited(retry_after=wait)


def row_id(value: str, purpose: str) -> UUID:
    """Where a key's row stands: 128 bits that tell nothing of the address or login in the key."""
    return UUID(bytes=keyed_digest(value, purpose)[:16])


class _Outage:
    """The database cannot be reached: ask again after a while, say so once."""

    def __init__(self) -> None:
        self.until = 0.0
        self.lasting = False

    def begin(self, error: Exception) -> None:
        self.until = monotonic() + SECONDS_ALONE
        if not self.lasting:
            log.error("limits.alone", error=type(error).__name__)
        self.lasting = True

    def end(self) -> None:
        if self.lasting:
            log.info("limits.shared_again")
        self.lasting = False


_outage = _Outage()


@cache
def _leases() -> Leases:
    return Leases(LimitsSettings.load().remembered)
