"""How often the drift job tells of a drift where there is none, and finds one that is there.

python scripts/drift_rates.py [YEARS]     some minutes; docs/monitoring.md states what it printed
"""

import random
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from app.monitoring.drift_tests import Window, compared

CURRENT, REFERENCE, YEAR, QUIET = 7, 28, 365, 7
CALLS_A_DAY = 60
TOPICS = [1 / (n + 3) for n in range(24)]
LANGUAGES = ("en", "de", "fr", "")
SHARES = {"stopped": 0.02, "declined": 0.03, "failed": 0.01}
OPINIONS = {"thumbs": 0.8, "correct": 0.9, "relevant": 0.9, "safe": 0.99, "form": 0.95}
OPINIONS_A_DAY = 8


def a_day(chance: random.Random, *, people: int = 0, each: int = 1, shift: str = "") -> Window:
    """Calls of a day: of strangers, or of some of so many `people`, each in a manner of their own.

    Whoever asks on a day does so `each` times; of which only the first counts, unless all do.
    """
    calls = CALLS_A_DAY
    window = Window(
        ordered={"question length": Counter(), "answer length": Counter()},
        named={"language": Counter(), "topic": Counter()},
    )
    german = 0.35 if shift == "language" else 0.2
    topics = TOPICS[::-1] if shift == "topic" else TOPICS
    for _ in range(calls // each):
        own = random.Random(chance.randrange(people)) if people else chance
        manner = own.gauss(0, 0.7) if people else 0.0
        language = own.choices(LANGUAGES, (0.9 - german, german, 0.05, 0.05))[0]
        topic = own.choices(range(24), topics)[0]
        for _ in range(each):
            length = 20 + 4 * (manner + chance.gauss(0.6 if shift == "length" else 0, 0.9))
            window.ordered["question length"][round(length)] += 1
            window.ordered["answer length"][round(26 + 4 * chance.gauss(0, 0.8))] += 1
            window.named["language"][language] += 1
            keeps = people and chance.random() < 0.5
            found = topic if keeps else chance.choices(range(24), topics)[0]
            window.named["topic"][str(found)] += 1
    rates = SHARES | ({"stopped": 0.08} if shift == "stopped" else {})
    for name, share in rates.items():
        window.shares[name] = sum(chance.random() < share for _ in range(calls)), calls
    likes = OPINIONS | ({"thumbs": 0.55} if shift == "thumbs" else {})
    for name, share in likes.items():
        hits = sum(chance.random() < share for _ in range(OPINIONS_A_DAY))
        window.shares[name] = hits, OPINIONS_A_DAY
    return window


def added(days: list[Window]) -> Window:
    found = Window()
    for day in days:
        for kind in ("ordered", "named"):
            for name, counts in getattr(day, kind).items():
                getattr(found, kind).setdefault(name, Counter()).update(counts)
        for name, (hits, of) in day.shares.items():
            before = found.shares.get(name, (0, 0))
            found.shares[name] = before[0] + hits, before[1] + of
    return found


def a_year(chance: random.Random, **how: int) -> tuple[int, int, int]:
    """Looks, looks that found something, and alerts as they are told."""
    days = [a_day(chance, **how) for _ in range(CURRENT + REFERENCE)]
    looks = finding = alerts = 0
    last: dict[str, int] = {}
    for day in range(YEAR):
        now, before = added(days[-CURRENT:]), added(days[:-CURRENT])
        drifted = [one.measure for one in compared(before, now) if one.drifted]
        looks, finding = looks + 1, finding + bool(drifted)
        for measure in drifted:
            alerts += measure not in last or day - last[measure] > QUIET
            last[measure] = day
        days = [*days[1:], a_day(chance, **how)]
    return looks, finding, alerts


def found_after(chance: random.Random, shift: str) -> bool:
    """Whether a week that is wholly changed is found."""
    before = added([a_day(chance) for _ in range(REFERENCE)])
    now = added([a_day(chance, shift=shift) for _ in range(CURRENT)])
    name = {"length": "question length"}.get(shift, shift)
    return any(one.drifted and one.measure == name for one in compared(before, now))


def main(years: int) -> None:
    per_week = f"{CALLS_A_DAY * CURRENT} calls a week, {OPINIONS_A_DAY * CURRENT} opinions"
    print(f"{years} years of one feature, {per_week}; seeds 0 to {years - 1}")
    for title, people, each in (
        ("strangers", 0, 1),
        ("200 people, the first call of each and day", 200, 1),
        ("200 people, 6 calls of each and day, all counted", 200, 6),
    ):
        totals = [a_year(random.Random(seed), people=people, each=each) for seed in range(years)]
        looks, finding, alerts = (sum(column) for column in zip(*totals, strict=True))
        print(
            f"no drift, {title}: {finding / looks:.2%} of {looks:,} looks find something;"
            f" {alerts / years:.2f} alerts a year"
        )
    for shift in ("length", "language", "topic", "stopped", "thumbs"):
        hits = sum(found_after(random.Random(seed), shift) for seed in range(100))
        print(f"drift of {shift}: found in {hits} of 100 weeks")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
