"""Prompts are texts with named places: `{{today}}`. Nothing in them is ever run.

A value is put in as it is: what looks like a place in it stays text.
"""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from app.core.errors import Invalid, Unavailable

PLACE = re.compile(r"\{\{\s*([a-z][a-z0-9_]{0,39})\s*\}\}")
BRACES = re.compile(r"\{\{|\}\}")
MOST_CHARACTERS = 40_000
CONTEXT_LINES = 3


class PromptInvalid(Invalid):
    """The text cannot be a version of this prompt."""


class PromptUnusable(Unavailable):
    """The code and the text of the prompt do not agree on its variables."""


def variables(text: str) -> tuple[str, ...]:
    """The names of the places, sorted. Raises `PromptInvalid` for braces that are none."""
    left = PLACE.sub("", text)
    if BRACES.search(left):
        raise PromptInvalid(
            "Double braces stand around the name of a variable, like {{today}}.",
            errors={"text": "Double braces stand around the name of a variable only."},
        )
    return tuple(sorted({*PLACE.findall(text)}))


def checked(text: str, offered: Collection[str]) -> tuple[str, ...]:
    """The variables that a text uses, all of them among those `offered` by the code."""
    if not text.strip():
        raise PromptInvalid("A prompt has a text.", errors={"text": "Please fill this in."})
    if len(text) > MOST_CHARACTERS:
        most = f"Use at most {MOST_CHARACTERS:,} characters."
        raise PromptInvalid(most, errors={"text": most})
    used = variables(text)
    if set(used) - set(offered):
        names = ", ".join(sorted(offered)) or "none"
        told = f"The text uses a variable that this prompt does not have. It has: {names}."
        raise PromptInvalid(told, errors={"text": told})
    return used


def rendered(text: str, declared: Collection[str], values: Mapping[str, str]) -> str:
    """The text with its values; `values` may hold more than this version uses, never less."""
    if missing := set(declared) - set(values):
        raise PromptUnusable(f"The prompt lacks values: {', '.join(sorted(missing))}.")

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in declared:
            raise PromptUnusable("The prompt has a variable that was never declared.")
        return values[name]

    return PLACE.sub(value, text)


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class DiffLine:
    kind: Literal["same", "added", "removed", "gap"]
    text: str


def diff(before: str, after: str) -> list[DiffLine]:
    """What changed from line to line, with a little of what did not."""
    return [*_diff(before.splitlines(), after.splitlines())]


def _diff(before: list[str], after: list[str]) -> Iterator[DiffLine]:
    groups = difflib.SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(
        CONTEXT_LINES
    )
    for number, group in enumerate(groups):
        if number:
            yield DiffLine("gap", "…")
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from (DiffLine("same", line) for line in before[i1:i2])
            else:
                yield from (DiffLine("removed", line) for line in before[i1:i2])
                yield from (DiffLine("added", line) for line in after[j1:j2])
