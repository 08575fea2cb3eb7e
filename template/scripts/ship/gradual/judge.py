"""Is the new version as good as it must be? The same bounds as in deploy/chart/values.yaml.

A line is what one process counted in a minute: app/telemetry/figures.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

MINUTES = 5
# Below so many nothing is concluded.
LEAST_REQUESTS = 20
ERROR_RATE = 0.01
SLOW_SHARE = 0.05
DOLLARS_PER_ANSWER = 0.25
# The share of questions whose answer stood: not failed, not withheld by a guard.
QUALITY = 0.9


def problems(lines: Iterable[Mapping[str, float]]) -> dict[str, str]:
    """What is bad, by the name of the figure."""
    lines = list(lines)

    def total(name: str) -> float:
        return sum(float(line.get(name, 0)) for line in lines)

    questions = total("answered") + total("unanswered")
    figures = {
        "errors": (total("failed"), total("requests"), ERROR_RATE),
        "latency": (total("slow"), total("timed"), SLOW_SHARE),
        "cost": (total("dollars"), total("answered"), DOLLARS_PER_ANSWER),
        "quality": (total("unanswered"), questions, 1 - QUALITY),
    }
    found = {
        name: f"{name}: {part / of:.4g} of {of:.0f} is more than {most:.4g}"
        for name, (part, of, most) in figures.items()
        if of >= LEAST_REQUESTS and part / of > most + 1e-9
    }
    if total("unready"):
        found["ready"] = "ready: the cloud says that it does not run"
    return found
