"""Whether two windows of calls differ, by how much, and how sure that is. Plain Python, no tables.

Each measure needs both: a test that finds it (corrected after Holm for all measures of one look),
and a size that matters (population stability index, or Cohen's h for shares). Large windows make
trifles significant; small ones make chance look large.

Sources: Kolmogorov-Smirnov with Stephens' correction (on boxes it is on the safe side); Pearson's
chi-square; Fisher's exact test; Holm (1979); Cohen (1988).
"""

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

ALPHA = 0.01
"""How often one look at a feature finds something where nothing is, over all measures together."""
LEAST_STABILITY_INDEX = 0.1
LEAST_H = 0.15
LEAST_CALLS, LEAST_OPINIONS = 200, 50
"""Calls, and judgements or thumbs, that each of the two windows needs."""
LEAST_EXPECTED = 5
QUANTILES = 10
SMOOTH = 0.5

Boxes = Counter[int]


@dataclass
class Window:
    """Calls of some days, counted."""

    ordered: dict[str, Counter[int]] = field(default_factory=dict)
    """Boxes in an order: lengths, confidence."""
    named: dict[str, Counter[str]] = field(default_factory=dict)
    """Boxes without one: languages, topics."""
    shares: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Hits, and of how many."""


@dataclass(frozen=True)
class Reading:
    """One measure in two windows."""

    measure: str
    kind: Literal["ordered", "named", "share"]
    reference: int
    current: int
    """How many were counted."""
    effect: float
    """Population stability index, or Cohen's h."""
    p_value: float
    adjusted: float
    drifted: bool


def compared(
    reference: Window, current: Window, *, alpha: float = ALPHA, least: int = LEAST_CALLS
) -> list[Reading]:
    """Every measure that both windows have enough of; the surest first."""
    found = [*_distributions(reference, current, least), *_shares(reference, current, least)]
    found.sort(key=lambda one: one.p_value)
    told, worst = [], 0.0
    for place, one in enumerate(found):
        worst = max(worst, min(1.0, (len(found) - place) * one.p_value))
        matters = one.effect >= (LEAST_H if one.kind == "share" else LEAST_STABILITY_INDEX)
        told.append(
            Reading(
                one.measure,
                one.kind,
                one.reference,
                one.current,
                one.effect,
                one.p_value,
                worst,
                worst < alpha and matters,
            )
        )
    return told


def _distributions(reference: Window, current: Window, least: int) -> list[Reading]:
    found = []
    for name, before in reference.ordered.items():
        now = current.ordered.get(name, Counter())
        sizes = before.total(), now.total()
        if min(sizes) >= least:
            p = kolmogorov_smirnov(before, now)
            effect = stability_index(*_quantiles(before, now))
            found.append(Reading(name, "ordered", *sizes, effect, p, p, drifted=False))
    for name, counts in reference.named.items():
        others = current.named.get(name, Counter())
        sizes = counts.total(), others.total()
        if min(sizes) >= least:
            p = chi_square(counts, others)
            effect = stability_index(counts, others)
            found.append(Reading(name, "named", *sizes, effect, p, p, drifted=False))
    return found


def _shares(reference: Window, current: Window, least: int) -> list[Reading]:
    found = []
    for name, (hits, of) in reference.shares.items():
        hits_now, of_now = current.shares.get(name, (0, 0))
        needed = least if name in OF_CALLS else LEAST_OPINIONS
        if min(of, of_now) >= needed:
            p = fisher(hits, of, hits_now, of_now)
            effect = cohens_h(hits / of, hits_now / of_now)
            found.append(Reading(name, "share", of, of_now, effect, p, p, drifted=False))
    return found


OF_CALLS = {"stopped", "declined", "failed"}


def stability_index(
    reference: Mapping[Hashable, int] | Counter[int] | Counter[str],
    current: Mapping[Hashable, int] | Counter[int] | Counter[str],
) -> float:
    """Population stability index; half a call more in each box keeps empty ones from infinity."""
    boxes = sorted({*reference, *current}, key=str)
    before = [reference.get(box, 0) + SMOOTH for box in boxes]
    now = [current.get(box, 0) + SMOOTH for box in boxes]
    return sum(
        (b / sum(now) - a / sum(before)) * math.log((b / sum(now)) / (a / sum(before)))
        for a, b in zip(before, now, strict=True)
    )


def _quantiles(before: Boxes, now: Boxes) -> tuple[Boxes, Boxes]:
    """Both in boxes that hold about a tenth of the reference each."""
    edges: list[int] = []
    reached, total = 0, before.total()
    for box in sorted(before):
        reached += before[box]
        if reached >= (len(edges) + 1) * total / QUANTILES:
            edges.append(box)
    return _into(before, edges), _into(now, edges)


def _into(counts: Boxes, edges: Sequence[int]) -> Boxes:
    found: Boxes = Counter()
    for box, count in counts.items():
        found[sum(edge < box for edge in edges)] += count
    return found


def kolmogorov_smirnov(one: Boxes, other: Boxes) -> float:
    """Two-sided p-value of counts in ordered boxes."""
    sizes = one.total(), other.total()
    sums, most = [0, 0], 0.0
    for box in sorted({*one, *other}):
        sums = [sums[0] + one[box], sums[1] + other[box]]
        most = max(most, abs(sums[0] / sizes[0] - sums[1] / sizes[1]))
    root = math.sqrt(sizes[0] * sizes[1] / sum(sizes))
    reach = (root + 0.12 + 0.11 / root) * most
    if reach < 0.2:  # The series converges slowly there, and its sum is 1.
        return 1.0
    total = 0.0
    for k in range(1, 101):
        total += (1 if k % 2 else -1) * math.exp(-2 * k * k * reach * reach)
    return min(1.0, max(0.0, 2 * total))


def chi_square(one: Counter[str], other: Counter[str]) -> float:
    """Whether both are draws from the same boxes. Boxes that are too empty for it become one."""
    sizes = one.total(), other.total()
    smaller = min(sizes) / sum(sizes)
    rows: list[tuple[int, int]] = []
    rest = [0, 0]
    for box in {*one, *other}:
        if (one[box] + other[box]) * smaller < LEAST_EXPECTED:
            rest = [rest[0] + one[box], rest[1] + other[box]]
        else:
            rows.append((one[box], other[box]))
    if sum(rest) * smaller >= LEAST_EXPECTED:
        rows.append((rest[0], rest[1]))
    if len(rows) < 2:
        return 1.0
    columns = [sum(row[n] for row in rows) for n in (0, 1)]
    total = sum(columns)
    statistic = sum(
        (row[n] - (expected := sum(row) * columns[n] / total)) ** 2 / expected
        for row in rows
        for n in (0, 1)
    )
    return upper_gamma((len(rows) - 1) / 2, statistic / 2)


def upper_gamma(shape: float, x: float) -> float:
    """The regularised upper incomplete gamma function: chi-square's p-value with its halves."""
    if x <= 0:
        return 1.0
    scale = math.exp(-x + shape * math.log(x) - math.lgamma(shape))
    if x < shape + 1:
        term = total = 1 / shape
        step = shape
        while term > total * 1e-14:
            step += 1
            term *= x / step
            total += term
        return max(0.0, 1 - scale * total)
    # The continued fraction, by Lentz's method.
    b = x + 1 - shape
    c, d = 1e300, 1 / b
    value = d
    for i in range(1, 500):
        an = -i * (i - shape)
        b += 2
        d = 1 / _not_zero(an * d + b)
        c = _not_zero(b + an / c)
        value *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return scale * value


def _not_zero(value: float) -> float:
    return value if abs(value) > 1e-300 else 1e-300


def fisher(hits: int, of: int, hits_now: int, of_now: int) -> float:
    """Two-sided: how often a table at least as rare as this comes about when nothing differs."""
    total, marked = of + of_now, hits + hits_now

    def log_choose(n: int, k: int) -> float:
        return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

    every = log_choose(total, marked)

    def log_chance(k: int) -> float:
        return log_choose(of_now, k) + log_choose(of, marked - k) - every

    # Tables as rare as this one differ by the rounding of large logarithms.
    seen = log_chance(hits_now) + 1e-7
    tables = range(max(0, marked - of), min(marked, of_now) + 1)
    chances = (log_chance(k) for k in tables)
    return min(1.0, sum(math.exp(one) for one in chances if one <= seen))


def cohens_h(one: float, other: float) -> float:
    """The distance of two shares, such that 0 to 2 % is as far as 50 to 64 %."""
    return abs(2 * math.asin(math.sqrt(one)) - 2 * math.asin(math.sqrt(other)))
