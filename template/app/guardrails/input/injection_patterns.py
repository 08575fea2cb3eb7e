"""Reads injection.toml."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from app.guardrails.normalise import folded
from app.guardrails.verdicts import Zone

PART = re.compile(r"%(\w+)%")
BOUNDARY = r"\b"


@dataclass(frozen=True, slots=True)
class Pattern:
    kind: str
    weight: float
    regex: re.Pattern[str]
    caught: str
    zones: frozenset[str]
    gate: re.Pattern[str]
    """Finds at least what `regex` finds, and faster: `re` skips to letters that a text may begin
    with, but not when a boundary of words must stand before them."""


def _read() -> dict[str, Any]:
    text = (Path(__file__).parent / "injection.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _compiled(written: str, parts: dict[str, str]) -> re.Pattern[str]:
    filled = PART.sub(lambda found: f"(?:{parts[found[1]]})", written)
    return re.compile(folded(filled.replace("\n", "")))


def _gate(regex: re.Pattern[str]) -> re.Pattern[str]:
    # Without the boundary of each beginning a pattern with several is slower, not faster.
    several = f"|{BOUNDARY}" in regex.pattern
    return regex if several else re.compile(regex.pattern.removeprefix(BOUNDARY))


ZONES = get_args(Zone)
_FILE = _read()
PATTERNS = [
    Pattern(
        one["kind"],
        one["weight"],
        regex := _compiled(one["regex"], _FILE.get("parts", {})),
        one["caught"],
        frozenset(one.get("zones", ZONES)),
        _gate(regex),
    )
    for one in _FILE["pattern"]
]
IN_ZONE = {zone: [one for one in PATTERNS if zone in one.zones] for zone in ZONES}
SQUEEZED = _compiled(_FILE["squeezed"]["regex"], {})
