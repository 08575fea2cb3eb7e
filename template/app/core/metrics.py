"""Figures for Prometheus, counted where things happen and read at `/metrics` (app/telemetry).

    REFUSED = Counter("app_refusals_total", "Requests that were refused.", "problem")
    REFUSED.add("rate-limited")

Counting costs half a microsecond. Labels are words of the code, such as templates of routes: never
ids, addresses, names or anything else that somebody chooses.
"""

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping

Labels = tuple[str, ...]
Lines = Iterable[str]

# Whatever goes wrong with labels, a process stays small: what comes later is counted as `other`.
# All routes by method and status are some two thousand.
MOST_SERIES = 5000
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SLOW_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0)

METRICS: dict[str, "Metric"] = {}


class Metric(ABC):
    kind: str

    def __init__(self, name: str, about: str, *labels: str) -> None:
        if name in METRICS:
            raise ValueError(f"There is a metric called {name} already.")
        self.name, self.about, self.labels = name, about, labels
        METRICS[name] = self

    @abstractmethod
    def samples(self) -> Lines: ...

    def lines(self) -> Lines:
        yield f"# HELP {self.name} {self.about}"
        yield f"# TYPE {self.name} {self.kind}"
        yield from self.samples()

    def _key(self, values: Labels, known: Mapping[Labels, object]) -> Labels:
        if len(values) != len(self.labels):
            raise TypeError(f"{self.name} has the labels {', '.join(self.labels)}.")
        return values if len(known) < MOST_SERIES else ("other",) * len(values)

    def _told(self, values: Labels, more: str = "") -> str:
        pairs = [
            f'{name}="{_escaped(value)}"' for name, value in zip(self.labels, values, strict=True)
        ]
        inside = ",".join([*pairs, more] if more else pairs)
        return f"{{{inside}}}" if inside else ""


class Counter(Metric):
    """Only grows. A rise to 1 from nothing is none to Prometheus: what is new is told as 0 once."""

    kind = "counter"

    def __init__(self, name: str, about: str, *labels: str) -> None:
        super().__init__(name, about, *labels)
        self._values: dict[Labels, float] = {}
        self._known: set[Labels] = set()
        if not labels:
            self._values[()] = 0.0

    def add(self, *values: str, by: float = 1.0) -> None:
        try:
            self._values[values] += by
        except KeyError:
            key = self._key(values, self._values)
            self._values[key] = self._values.get(key, 0.0) + by

    def value(self, *values: str) -> float:
        return self._values.get(values, 0.0)

    def total(self, label: str = "", *wanted: str) -> float:
        """The sum of all series, or of those whose label is one of these."""
        at = self.labels.index(label) if label else 0
        return sum(number for key, number in self._values.items() if not label or key[at] in wanted)

    def samples(self) -> Lines:
        for values, number in list(self._values.items()):
            told = number if values in self._known else 0.0
            self._known.add(values)
            yield f"{self.name}{self._told(values)} {_number(told)}"


class Histogram(Metric):
    """How often something took how long."""

    kind = "histogram"

    def __init__(
        self, name: str, about: str, *labels: str, buckets: tuple[float, ...] = SECONDS
    ) -> None:
        super().__init__(name, about, *labels)
        self._buckets = buckets
        self._values: dict[Labels, list[float]] = {}
        """The sum, then a count for each bucket and for what is beyond the last."""

    def see(self, value: float, *values: str) -> None:
        found = self._values.get(values)
        if found is None:
            key = self._key(values, self._values)
            found = self._values.setdefault(key, [0.0] * (len(self._buckets) + 2))
        found[0] += value
        found[1 + bisect_left(self._buckets, value)] += 1

    def count(self, *values: str) -> float:
        return sum(self._values.get(values, ())[1:])

    def samples(self) -> Lines:
        for values, (total, *counts) in list(self._values.items()):
            below = 0.0
            for bound, count in zip((*self._buckets, "+Inf"), counts, strict=True):
                below += count
                bucket = self._told(values, f'le="{bound}"')
                yield f"{self.name}_bucket{bucket} {_number(below)}"
            yield f"{self.name}_sum{self._told(values)} {_number(total)}"
            yield f"{self.name}_count{self._told(values)} {_number(below)}"


class Gauge(Metric):
    """Goes up and down: what `read` gives when somebody looks, or what was last put there."""

    kind = "gauge"

    def __init__(
        self,
        name: str,
        about: str,
        *labels: str,
        read: Callable[[], float | Mapping[Labels, float]] | None = None,
    ) -> None:
        super().__init__(name, about, *labels)
        self._read = read
        self._values: dict[Labels, float] = {}

    def replace(self, values: float | Mapping[Labels, float]) -> None:
        """All of it anew: what is not there any more is not told any more."""
        given = values if isinstance(values, Mapping) else {(): values}
        self._values = {}
        for key, value in given.items():
            self._values[self._key(key, self._values)] = value

    def samples(self) -> Lines:
        if self._read is not None:
            self.replace(self._read())
        for values, number in self._values.items():
            yield f"{self.name}{self._told(values)} {_number(number)}"


def exposition() -> str:
    """Everything in the text format that Prometheus reads, version 0.0.4."""
    return "\n".join(line for name in sorted(METRICS) for line in METRICS[name].lines()) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
