"""What people are told of an answer that is not what the model would say now."""

from collections.abc import Iterator, Mapping
from typing import Any

MINUTES_AN_HOUR = 60
REUSED = {
    "exact": "The same question was answered {ago}",
    "similar": "A similar question was answered {ago}",
    "stale": "No model answers at the moment; this is from {ago}",
}


def marks(notes: Mapping[str, Any]) -> Iterator[str]:
    """Short sentences without their points, by what the steps of the call noted."""
    if found := notes.get("cache"):
        yield REUSED[found["what"]].format(ago=_ago(found["minutes"]))
    if "fallback" in notes:
        yield "A second model answered"
    if "smaller" in notes:
        yield "A smaller model answered, because the usual one does not answer at the moment"


def degraded(notes: Mapping[str, Any]) -> str | None:
    """Which step down the ladder an answer was given on, when it was."""
    if "smaller" in notes:
        return "smaller_model"
    return "earlier_answer" if (notes.get("cache") or {}).get("what") == "stale" else None


def _ago(minutes: int) -> str:
    if minutes < 1:
        return "a moment ago"
    if minutes < 2 * MINUTES_AN_HOUR:
        return f"{minutes} minutes before" if minutes > 1 else "a minute before"
    return f"{minutes // MINUTES_AN_HOUR} hours before"
