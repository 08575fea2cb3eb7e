"""Few rows that hold every pair of choices that can stand together."""

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = dict[str, Any]

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
    missing = set(pairs(options))
    rows: list[Row] = []
    while missing:
        wanted = min(missing, key=repr)
        by_chance = some_row(dict(wanted), options, possible)
        if by_chance is None:
            missing.discard(wanted)  # no row at all can hold this pair
            continue
        tried = [
            _completed(dict(wanted), options, possible, missing, chance) for _ in range(candidates)
        ]
        found = [row for row in tried if row is not None] or [by_chance]
        best = max(found, key=lambda row: len(missing & pairs_of(row)))
        rows.append(best)
        missing -= pairs_of(best)
    return rows


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


def pairs(options: Mapping[str, Sequence[Any]]) -> set[tuple[tuple[str, Any], ...]]:
    return {
        tuple(zip(names, values, strict=True))
        for names in itertools.combinations(sorted(options), 2)
        for values in itertools.product(*(options[name] for name in names))
    }


def pairs_of(row: Row) -> set[tuple[tuple[str, Any], ...]]:
    return set(itertools.combinations(sorted(row.items()), 2))


def _completed(
    row: Row,
    options: Mapping[str, Sequence[Any]],
    possible: Callable[[Row], bool],
    missing: set[tuple[tuple[str, Any], ...]],
    chance: random.Random,
) -> Row | None:
    """Any possible row that begins with this one, preferring values that cover something new.

    Gives up after some tries: two early values that exclude each other would be tried with all
    others.
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
        values = sorted(
            options[name],
            key=lambda value: (
                -len(missing & pairs_of({**row, name: value})),
                chance.random(),
            ),
        )
        for value in values:
            if left and (filled := fill({**row, name: value}, others)) is not None:
                return filled
        return None

    return fill(row, free)
