"""What a process knows of limits without asking: its leases, refusals, and its own fallback.

Time here is the process's monotonic clock; setting the wall clock changes no limit.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from time import monotonic

from app.limits.rates import Rate

Key = tuple[str, Rate]


@dataclass(slots=True)
class Lease:
    """A part of a key's budget that this process may spend alone."""

    left: int = 0
    until: float = 0.0
    refused_cost: int = 0
    refused_until: float = 0.0
    full_at: float = 0.0
    """The key's budget as this process alone counts it, when the database cannot be reached."""
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def spend(self, cost: int) -> bool:
        if cost > self.left or monotonic() >= self.until:
            return False
        self.left -= cost
        return True

    def renew(self, granted: int, cost: int, *, since: float, rate: Rate) -> None:
        """Take what the database granted. `since` is when it was asked: the clock ran meanwhile."""
        self.left = granted - cost
        self.until = since + granted * rate.spacing

    def unspent(self) -> int:
        """Take out what was not spent in time: it goes back, or who asks little loses all of it."""
        left, self.left = self.left, 0
        return left

    def refuse(self, cost: int, seconds: float) -> None:
        """Remember a refusal: until then there is no use in asking again."""
        self.refused_cost, self.refused_until = cost, monotonic() + seconds

    def refusal(self, cost: int) -> float:
        """Seconds for which the answer is known to be no."""
        if cost < self.refused_cost:
            return 0.0
        return max(0.0, self.refused_until - monotonic())

    def take_alone(self, rate: Rate, cost: int) -> float:
        """Count in this process only; the seconds to wait, 0 when it is allowed."""
        moment = monotonic()
        backlog = max(0.0, self.full_at - moment)
        wait = backlog + (cost - rate.burst) * rate.spacing
        if wait > 1e-6:
            return wait
        self.full_at = moment + backlog + cost * rate.spacing
        return 0.0


class Leases:
    """The leases of a process, at most `size`; those longest unused are forgotten.

    A forgotten lease is lost, never spent twice.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._by_key: OrderedDict[Key, Lease] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_key)

    def of(self, key: Key) -> Lease:
        lease = self._by_key.get(key)
        if lease is None:
            lease = self._by_key[key] = Lease()
            if len(self._by_key) > self.size:
                self._by_key.popitem(last=False)
        else:
            self._by_key.move_to_end(key)
        return lease
