"""Few rows that hold every pair of choices that can stand together."""

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = dict[str, Any]


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
        first = _completed(dict(wanted), options, possible, missing, chance)
        if first is None:
            missing.discard(wanted)  # no row at all can hold this pair, so do not look again
            continue
        others = (
            _completed(dict(wanted), options, possible, missing, chance)
            for _ in range(candidates - 1)
        )
        found = [first, *(row for row in others if row is not None)]
        best = max(found, key=lambda row: len(missing & pairs_of(row)))
        rows.append(best)
        missing -= pairs_of(best)
    return rows


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
    """Any possible row that begins with this one, preferring values that cover something new."""
    free = [name for name in options if name not in row]
    chance.shuffle(free)

    def fill(row: Row, rest: list[str]) -> Row | None:
        if not rest:
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
            if (filled := fill({**row, name: value}, others)) is not None:
                return filled
        return None

    return fill(row, free)
