"""How often hours are told as far too dear that are not, and how often those that are are found.

python scripts/anomaly_rates.py [ORGANISATIONS]     minutes; docs/usage.md states what it printed
"""

import random
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent))

from app.usage.usual import HOUR, WEEK, jump

START = datetime(2026, 1, 5, tzinfo=UTC)
WEEKS_LONG, BEFORE, IN_A_WEEK = 60, 8, 168
PEOPLE, FEATURES, MODELS = 60, 5, 3
FACTOR, LEAST, QUIET = 6, 5_000_000, 3
DOLLAR = 1_000_000
Hours = list[int]
"""Microdollars of one hour after the other."""
KINDS = ("the organisation", "features", "models", "people")


def busy(hour: int) -> float:
    """How many of those who work do so in this hour of the week."""
    day, of_day = divmod(hour % IN_A_WEEK, 24)
    return (1.0 if 8 <= of_day < 18 else 0.15) * (1.0 if day < 5 else 0.12)


def a_person(chance: random.Random, *, bursts: bool, growth: float) -> Hours:
    """Asks in some hours, more or less, dear things and cheap ones; is away for weeks at times."""
    keenness, size = min(0.9, chance.betavariate(1.5, 2.5)), chance.lognormvariate(0, 0.7)
    found = []
    for week in range(WEEKS_LONG):
        away, grown = chance.random() < 0.08, (1 + growth) ** week
        for hour in range(IN_A_WEEK):
            if away or chance.random() > keenness * busy(hour):
                found.append(0)
                continue
            calls = min(60, 1 + int(chance.expovariate(1 / 6)))
            cost = sum(chance.lognormvariate(0, 1) for _ in range(calls)) * size * grown
            if bursts and chance.random() < 0.02:
                cost *= chance.uniform(3, 8)
            found.append(round(cost * DOLLAR))
    return found


def a_batch(chance: random.Random) -> Hours:
    """A feature that works on Sunday nights alone, never for the same."""
    found = [0] * (WEEKS_LONG * IN_A_WEEK)
    for week in range(WEEKS_LONG):
        at = week * IN_A_WEEK + 6 * 24 + 3 + chance.choice((0, 0, 0, 1))
        found[at] = round(40 * DOLLAR * chance.lognormvariate(0, 0.4))
    return found


def an_organisation(seed: int, *, bursts: int = 0, growth: float = 0) -> dict[str, list[Hours]]:
    """Its hours, and those of everybody in it; one in `bursts` people asks a lot now and then."""
    chance = random.Random(seed)
    people = [
        a_person(chance, bursts=bool(bursts) and n % bursts == 0, growth=growth)
        for n in range(PEOPLE)
    ]
    features, models = ([[0] * len(people[0]) for _ in range(n)] for n in (FEATURES, MODELS))
    for person in people:
        likes = [chance.random() for _ in features]
        takes = [chance.random() ** 3 for _ in models]
        for hour, cost in enumerate(person):
            if cost:
                chance.choices(features, likes)[0][hour] += cost
                chance.choices(models, takes)[0][hour] += cost
    features.append(a_batch(chance))
    whole = [sum(costs) for costs in zip(*features, strict=True)]
    return dict(zip(KINDS, ([whole], features, models, people), strict=True))


def told(hours: Hours, first: int, last: int) -> Iterator[int]:
    """The hours of which a mail would be sent."""
    before, quiet_until = {}, -1
    since = START + next((n for n, cost in enumerate(hours) if cost), 0) * HOUR
    for n in range(max(0, first - BEFORE * IN_A_WEEK - 3), first):
        before[START + n * HOUR] = hours[n]
    for n in range(first, last):
        place = START + n * HOUR
        before[place] = hours[n]
        if hours[n] > LEAST and jump(before, place, since, factor=FACTOR, least=LEAST):
            if n > quiet_until:
                yield n
            quiet_until = n + QUIET
        if n % IN_A_WEEK == 0:
            before = {at: cost for at, cost in before.items() if place - at <= (BEFORE + 1) * WEEK}


def found(series: Hours, whole: Hours, times: int) -> tuple[int, int, int]:
    """Of two jumps in a year, six hours long: found by itself, by the whole, and all of them."""
    usually = median(cost for cost in series if cost)
    own = all_ = 0
    for week in (20, 40):
        at = week * IN_A_WEEK + 2 * 24 + 10
        for hours, is_own in ((series, True), (whole, False)):
            changed = list(hours)
            for n in range(at, at + 6):
                changed[n] += round(times * usually)
            hit = any(told(changed, at, at + 6))
            own, all_ = own + (hit and is_own), all_ + (hit and not is_own)
    return own, all_, 2


def main(count: int) -> None:
    year, first = (WEEKS_LONG - BEFORE) / 52, BEFORE * IN_A_WEEK
    print(f"{count} organisations of {PEOPLE} people, {FEATURES + 1} features, {MODELS} models")
    makers: list[tuple[str, Callable[[int], dict[str, list[Hours]]]]] = [
        ("nothing happens", an_organisation),
        ("use grows 2 % a week", lambda seed: an_organisation(seed, growth=0.02)),
        ("one in six has bursts", lambda seed: an_organisation(seed, bursts=6)),
    ]
    usual_ones = []
    for title, make in makers:
        made = [make(seed) for seed in range(count)]
        usual_ones = usual_ones or made
        sums = {
            kind: sum(
                sum(1 for _ in told(one, first, len(one))) for org in made for one in org[kind]
            )
            for kind in KINDS
        }
        print(title + ":", ", ".join(f"{kind} {n / count / year:.1f}" for kind, n in sums.items()))
    for kind in KINDS[1:]:
        for times in (5, 10, 20):
            hits = [
                found(one, org[KINDS[0]][0], times) for org in usual_ones for one in org[kind][:8]
            ]
            own, by_all, of = (sum(column) for column in zip(*hits, strict=True))
            print(
                f"{kind}: {times} times the usual hour more, six hours long:"
                f" found in {own / of:.0%}, by the organisation's sum in {by_all / of:.0%}"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
