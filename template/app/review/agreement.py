"""How far two people who look at the same answers agree, beyond chance.

Cohen (1960); the standard error is that of Fleiss, Cohen and Everitt (1969). It is 0 for people who
always or never agree, also for two; then the interval is that of the share in which they agree.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from app.prompts.statistics import Interval, Z, wilson

FEWEST = 30
"""Of fewer pairs the interval says nothing."""
SURE = 1e-12


@dataclass(frozen=True)
class Agreement:
    pairs: int
    same: int
    share: Interval
    kappa: Interval | None
    """None when chance alone would agree always: all verdicts are the same."""

    @property
    def too_few(self) -> bool:
        return self.pairs < FEWEST


def agreement(pairs: Sequence[tuple[str, str]]) -> Agreement:
    """Of two verdicts on each of some answers."""
    same = sum(one == other for one, other in pairs)
    return Agreement(len(pairs), same, wilson(same, len(pairs)), kappa(pairs))


def kappa(pairs: Sequence[tuple[str, str]]) -> Interval | None:
    """Cohen's kappa with its interval of 95 %."""
    if not pairs:
        return None
    count = len(pairs)
    cells = {pair: found / count for pair, found in Counter(pairs).items()}
    first = {name: found / count for name, found in Counter(one for one, _ in pairs).items()}
    second = {name: found / count for name, found in Counter(two for _, two in pairs).items()}
    seen = sum(share for (one, two), share in cells.items() if one == two)
    chance = sum(share * second.get(name, 0) for name, share in first.items())
    if chance == 1:
        return None
    value = (seen - chance) / (1 - chance)
    on = sum(
        share * ((1 - chance) - (first[one] + second[one]) * (1 - seen)) ** 2
        for (one, two), share in cells.items()
        if one == two
    )
    off = (1 - seen) ** 2 * sum(
        share * (first.get(two, 0) + second.get(one, 0)) ** 2
        for (one, two), share in cells.items()
        if one != two
    )
    spread = on + off - (seen * chance - 2 * chance + seen) ** 2
    if spread < SURE:
        share = wilson(round(seen * count), count)
        low, high = ((one - chance) / (1 - chance) for one in (share.low, share.high))
        return Interval(value, max(-1.0, low), min(1.0, high))
    half = Z * math.sqrt(spread / count) / (1 - chance) ** 2
    return Interval(value, max(-1.0, value - half), min(1.0, value + half))
