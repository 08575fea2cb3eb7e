"""Reads injection.toml."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from app.guardrails.input.needed import Index
from app.guardrails.normalise import folded
from app.guardrails.verdicts import Zone

PART = re.compile(r"%(\w+)%")


@dataclass(frozen=True, slots=True)
class Pattern:
    kind: str
    weight: float
    regex: re.Pattern[str]
    caught: str
    zones: frozenset[str]


def _read() -> dict[str, Any]:
    text = (Path(__file__).parent / "injection.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _compiled(written: str, parts: dict[str, str]) -> re.Pattern[str]:
    filled = PART.sub(lambda found: f"(?:{parts[found[1]]})", written)
    return re.compile(folded(filled.replace("\n", "")))


ZONES = get_args(Zone)
_FILE = _read()
PATTERNS = [
    Pattern(
        one["kind"],
        one["weight"],
        _compiled(one["regex"], _FILE.get("parts", {})),
        one["caught"],
        frozenset(one.get("zones", ZONES)),
    )
    for one in _FILE["pattern"]
]
_INDEX = Index(one.regex for one in PATTERNS)
_IN_ZONE = {
    zone: sum(1 << at for at, one in enumerate(PATTERNS) if zone in one.zones) for zone in ZONES
}
SQUEEZED = _compiled(_FILE["squeezed"]["regex"], {})


def matching(text: str, zone: Zone) -> Iterator[Pattern]:
    """Those of a zone that are found in a plain text."""
    for at in _INDEX.possible(text, _IN_ZONE[zone]):
        if PATTERNS[at].regex.search(text):
            yield PATTERNS[at]
