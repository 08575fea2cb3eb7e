"""Few rows that hold every pair of choices that can stand together."""

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = dict[str, Any]
Pair = tuple[tuple[str, Any], ...]

# Looking through all rows for one that is not there takes minutes, and doubles with each question.
TRIES = 400


def covering_rows(
    options: Mapping[str, Sequence[Any]],
    possible: Callable[[Row], bool],
    seed: int = 0,
    candidates: int = 5,
) -> list[Row]:
    """Greedy: take the pair nobody has yet, fill the row with what covers most, repeat."""
    chance = random.Random(seed)
    by_chance = _by_chance(options, possible)
    never = {pair for pair, row in by_chance.items() if row is None}
    missing = by_chance.keys() - never
    rows: list[Row] = []
    while missing:
        wanted = min(missing, key=repr)
        tried = [
            _completed(dict(wanted), options, possible, missing, never, chance)
            for _ in range(candidates)
        ]
        found = [row for row in (*tried, by_chance[wanted]) if row is not None]
        best = max(found, key=lambda row: len(missing & pairs_of(row)))
        rows.append(best)
        missing -= pairs_of(best)
    return rows


def _by_chance(
    options: Mapping[str, Sequence[Any]], possible: Callable[[Row], bool]
) -> dict[Pair, Row | None]:
    """A possible row for each pair. What a row holds besides needs no search of its own."""
    found: dict[Pair, Row | None] = {}
    for pair in sorted(pairs(options), key=repr):
        if pair not in found:
            row = found[pair] = some_row(dict(pair), options, possible)
            if row is not None:
                found |= dict.fromkeys(pairs_of(row), row)
    return found


def some_row(
    begun: Row, options: Mapping[str, Sequence[Any]], possible: Callable[[Row], bool]
) -> Row | None:
    """A possible row that begins with this one; None when hundreds of random ones are not."""
    chance = random.Random(0)
    for _ in range(TRIES):
        row = {name: chance.choice(values) for name, values in options.items()} | begun
        if possible(row):
            return row
    return None


def pairs(options: Mapping[str, Sequence[Any]]) -> set[Pair]:
    return {
        tuple(zip(names, values, strict=True))
        for names in itertools.combinations(sorted(options), 2)
        for values in itertools.product(*(options[name] for name in names))
    }


def pairs_of(row: Row) -> set[Pair]:
    return set(itertools.combinations(sorted(row.items()), 2))


def _completed(
    row: Row,
    options: Mapping[str, Sequence[Any]],
    possible: Callable[[Row], bool],
    missing: set[Pair],
    never: set[Pair],
    chance: random.Random,
) -> Row | None:
    """Any possible row that begins with this one, preferring values that cover something new.

    Gives up after some tries: three early values that exclude each other would be tried with all
    others. Two that do are in `never`.
    """
    free = [name for name in options if name not in row]
    chance.shuffle(free)
    left = TRIES

    def fill(row: Row, rest: list[str]) -> Row | None:
        nonlocal left
        if not rest:
            left -= 1
            return row if possible(row) else None
        name, *others = rest
        new = {
            value: {(*sorted([(name, value), one]),) for one in row.items()}
            for value in options[name]
        }
        values = sorted(
            (value for value in options[name] if not new[value] & never),
            key=lambda value: (-len(missing & new[value]), chance.random()),
        )
        for value in values:
            if left and (filled := fill({**row, name: value}, others)) is not None:
                return filled
        return None

    return fill(row, free)
