"""What an hour usually costs, and whether it costs far more than that.

An hour is compared with the same hour of the week and its neighbours, eight weeks back. Median and
median absolute deviation do not mind the few strange hours among them, so an anomaly does not
become the measure of the next one. Whoever asks seldom, or a lot now and then, has medians of
nothing: so an hour must also be far above all but the dearest hours in which anything was asked.
`scripts/anomaly_rates.py` says how often that errs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from statistics import median

HOUR, WEEK = timedelta(hours=1), timedelta(weeks=1)
WEEKS = 8
LEAST_HISTORY = 3 * WEEK
"""Before that nobody knows what is usual."""
NEIGHBOURS = (-HOUR, timedelta(0), HOUR)
# What the median absolute deviation of a normal distribution is multiplied with.
NORMAL = 1.4826
LEAST_SPREAD = 0.1
"""Of the median: hours that are all alike do not make the next cent an anomaly."""
DEAR = 0.95
"""This share of the hours in which anything was asked cost less than a dear one."""
TWICE, ONCE = 1.5, 8
"""So many times a dear hour two hours in a row must cost, or one alone."""


@dataclass(frozen=True)
class Usual:
    """What such hours usually come to, and how far they usually are from it."""

    median: float
    spread: float

    def is_left_by(self, value: int, *, factor: float, least: int) -> bool:
        return value - self.median > max(factor * self.spread, least)


def usual(history: Mapping[datetime, int], hour: datetime, since: datetime) -> Usual | None:
    """By hours of the clock; None while the history is too short. Hours without a sum are 0."""
    if hour - since < LEAST_HISTORY:
        return None
    places = [hour - week * WEEK + near for week in range(1, WEEKS + 1) for near in NEIGHBOURS]
    known = [history.get(place, 0) for place in places if place >= since]
    middle = median(known)
    deviation = median(abs(one - middle) for one in known)
    return Usual(middle, max(NORMAL * deviation, LEAST_SPREAD * middle))


def jump(
    history: Mapping[datetime, int], hour: datetime, since: datetime, *, factor: float, least: int
) -> Usual | None:
    """What is usual in this hour when it costs far more than that, or None."""
    found = usual(history, hour, since)
    if found is None or not found.is_left_by(history.get(hour, 0), factor=factor, least=least):
        return None
    times = _times(history, hour)
    if times > ONCE:
        return found
    before = usual(history, hour - HOUR, since)
    goes_on = (
        before is not None
        and before.is_left_by(history.get(hour - HOUR, 0), factor=factor, least=least)
        and min(times, _times(history, hour - HOUR)) > TWICE
    )
    return found if goes_on else None


def _times(history: Mapping[datetime, int], hour: datetime) -> float:
    """How many times what a dear hour of the weeks before cost."""
    # Not the hour before: when two hours in a row are strange, that is one of them.
    first, last = hour - WEEKS * WEEK, hour - HOUR
    asked = sorted(cost for place, cost in history.items() if cost and first <= place < last)
    return history.get(hour, 0) / asked[int(DEAR * (len(asked) - 1))] if asked else inf
