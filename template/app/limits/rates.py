"""What a rate is."""

from dataclasses import InitVar, dataclass

LEASED_SHARE = 10


@dataclass(frozen=True)
class Rate:
    """`count` in `seconds`, evenly refilled; up to `burst` (default: `count`) at once.

    A process takes a lease of `lease` and spends it without asking the database again. A lease is
    worth as long as its refill takes, and the shared budget is smaller by one lease, so all
    processes together never allow more than `burst`. `strict` asks the database each time: for
    sign-in and whatever else each attempt of counts.
    """

    count: float = 0
    seconds: float = 60
    burst: int = 0
    lease: int = 0
    strict: InitVar[bool] = False
    per_minute: InitVar[float] = 0

    def __post_init__(self, strict: bool, per_minute: float) -> None:
        count = per_minute or self.count
        if count <= 0 or self.seconds <= 0:
            raise ValueError("A rate allows more than nothing in more than no time.")
        burst = self.burst or max(1, int(count))
        lease = 1 if strict else self.lease or max(1, burst // LEASED_SHARE)
        if lease > 1 and lease * 2 > burst:
            raise ValueError("A lease is at most half of the burst.")
        # The dataclass is frozen so that rates can be keys; this is its constructor.
        for name, value in (("count", count), ("burst", burst), ("lease", lease)):
            object.__setattr__(self, name, value)

    @property
    def spacing(self) -> float:
        """Seconds in which one is refilled."""
        return self.seconds / self.count

    @property
    def depth(self) -> int:
        """How many the shared budget holds. A lease may be spent late, so one stays aside."""
        return self.burst - self.lease if self.lease > 1 else self.burst

    def __str__(self) -> str:
        return f"{self.count:g}/{self.seconds:g}s+{self.burst}/{self.lease}"
