"""Intervals and tests for shares: how much a number of thumbs or passed cases can tell.

Sources: Wilson (1927); Newcombe (1998), method 10, for the difference of two shares, of other cases
and of the same ones; the pooled two-proportion z-test; the paired percentile bootstrap.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

CONFIDENCE = 0.95
POWER = 0.8
Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
DRAWS = 2000
# With 8 on each side the test says twice as often as it should that there is a difference.
LEAST = 30


@dataclass(frozen=True, slots=True)
class Interval:
    value: float
    low: float
    high: float


def wilson(hits: int, of: int) -> Interval:
    """A share with its interval of 95 %; with nothing counted, anything is possible."""
    if of == 0:
        return Interval(0.0, 0.0, 1.0)
    share = hits / of
    spread = 1 + Z * Z / of
    middle = (share + Z * Z / (2 * of)) / spread
    half = Z * math.sqrt(share * (1 - share) / of + Z * Z / (4 * of * of)) / spread
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def difference(hits_a: int, of_a: int, hits_b: int, of_b: int) -> Interval:
    """Share b minus share a."""
    a, b = wilson(hits_a, of_a), wilson(hits_b, of_b)
    value = b.value - a.value
    if not (of_a and of_b):
        return Interval(value, -1.0, 1.0)
    low = value - math.hypot(b.value - b.low, a.high - a.value)
    high = value + math.hypot(b.high - b.value, a.value - a.low)
    return Interval(value, low, high)


def p_value(hits_a: int, of_a: int, hits_b: int, of_b: int) -> float:
    """Two-sided: how often a difference this large comes about when there is none."""
    if not (of_a and of_b):
        return 1.0
    pooled = (hits_a + hits_b) / (of_a + of_b)
    error = math.sqrt(pooled * (1 - pooled) * (1 / of_a + 1 / of_b))
    if error == 0:
        return 1.0
    z = abs(hits_b / of_b - hits_a / of_a) / error
    return 2 * (1 - NormalDist().cdf(z))


def sample_needed(share: float, effect: float) -> int:
    """How many each side needs to see a difference of `effect` with a power of 80 %."""
    other = min(max(share + effect, 0.0), 1.0)
    if other == share:
        other = max(share - effect, 0.0)
    z = Z + NormalDist().inv_cdf(POWER)
    spread = share * (1 - share) + other * (1 - other)
    needed = math.ceil(z * z * spread / (other - share) ** 2) if other != share else 0
    return max(LEAST, needed)


def paired_difference(before: Sequence[bool], after: Sequence[bool]) -> Interval:
    """Share after minus share before, of the same cases. Few cases are wide, also when all agree:
    a bootstrap of what never changed would be sure of it.
    """
    pairs = list(zip(before, after, strict=True))
    both, worse, better, neither = map(
        pairs.count, ((True, True), (True, False), (False, True), (False, False))
    )
    one, other = wilson(both + worse, len(pairs)), wilson(both + better, len(pairs))
    value = (better - worse) / len(pairs) if pairs else 0.0
    product: float = both * neither - worse * better
    if product > 0:  # Corrected for continuity.
        product = max(0.0, product - len(pairs) / 2)
    margins = (both + worse) * (better + neither) * (both + better) * (worse + neither)
    phi = product / math.sqrt(margins) if margins else 0.0

    def half(mine: float, its: float) -> float:
        return math.sqrt(max(0.0, mine * mine - 2 * phi * mine * its + its * its))

    low = value - half(other.value - other.low, one.high - one.value)
    high = value + half(other.high - other.value, one.value - one.low)
    return Interval(value, max(-1.0, low), min(1.0, high))


def paired(before: Sequence[float], after: Sequence[float], seed: int = 8080) -> Interval:
    """The mean difference of the same cases, by bootstrap; the same for the same numbers."""
    changes = [b - a for a, b in zip(before, after, strict=True)]
    if not changes:
        return Interval(0.0, -1.0, 1.0)
    value = sum(changes) / len(changes)
    draw = random.Random(seed)  # noqa: S311 no secret
    means = sorted(sum(draw.choices(changes, k=len(changes))) / len(changes) for _ in range(DRAWS))
    edge = round(DRAWS * (1 - CONFIDENCE) / 2)
    return Interval(value, means[edge], means[DRAWS - edge - 1])


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    sizes = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / sizes if sizes else 0.0
