"""The geometry of charts, in percent; templates/web/charts.html draws it as SVG.

Percentages keep words and corners in shape at any width, with no script and no inline style.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

Number = float | Decimal

GAP = 0.3  # of a bar's share
STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
LABELS_AT_MOST = 6


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    value: Number
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    values: tuple[Number | None, ...]
    path: str
    end: tuple[float, float] | None
    """The last value that there is."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A label below the plot; x is its middle."""

    text: str
    x: float


def ceiling(values: Sequence[Number]) -> float:
    """The round number at the top of the scale."""
    top = float(max(values, default=0))
    if top <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(top))
    return next(step * power for step in STEPS if step * power >= top * 0.999999)


def scale(values: Sequence[Number | None]) -> list[float]:
    """What is written beside the plot, from the top."""
    top = ceiling([value for value in values if value is not None])
    return [top, top / 2, 0.0]


def bars(points: Sequence[tuple[str, Number]]) -> list[Bar]:
    """One bar for each (label, value); values below zero count as zero."""
    top = ceiling([value for _, value in points])
    share = 100 / max(len(points), 1)
    made = []
    for index, (label, value) in enumerate(points):
        height = 100 * max(float(value), 0.0) / top
        x = (index + GAP / 2) * share
        sizes = (round(size, 3) for size in (x, 100 - height, share * (1 - GAP), height))
        made.append(Bar(label, value, *sizes))
    return made


def largest(points: Sequence[tuple[str, Number]]) -> Number:
    return max((value for _, value in points), default=0)


def percent(value: Number, top: Number) -> float:
    """How far a bar reaches; below zero it is none."""
    return round(min(100.0, max(0.0, 100 * float(value) / float(top))), 3) if top > 0 else 0.0


def lines(series: Sequence[tuple[str, Sequence[Number | None]]]) -> list[Line]:
    """One line for each (name, values); all share the scale and the labels.

    None is a gap: where nothing was measured there was no zero.
    """
    top = ceiling([value for _, values in series for value in values if value is not None])
    made = []
    for name, values in series:
        places = [
            None
            if value is None
            else (
                round(100 * index / max(len(values) - 1, 1), 3),
                round(100 - 100 * max(float(value), 0.0) / top, 3),
            )
            for index, value in enumerate(values)
        ]
        end = next((place for place in reversed(places) if place), None)
        made.append(Line(name, tuple(values), _path(places), end))
    return made


def _path(places: Sequence[tuple[float, float] | None]) -> str:
    path, before = "", None
    for index, place in enumerate(places):
        if place is not None:
            after = places[index + 1] if index + 1 < len(places) else None
            path += f"{'L' if before else 'M'}{place[0]} {place[1]}"
            if before is None and after is None:
                path += "h0"  # alone, it is a dot
        before = place
    return path


def marks(labels: Sequence[str], *, under_bars: bool) -> list[Mark]:
    """The labels that fit below the plot, always with the last."""
    count = len(labels)
    step = max(1, math.ceil(count / LABELS_AT_MOST))
    first = (count - 1) % step if count else 0
    span, shift = (count, 0.5) if under_bars else (max(count - 1, 1), 0.0)
    return [
        Mark(labels[index], round(100 * (index + shift) / span, 3))
        for index in range(first, count, step)
    ]
