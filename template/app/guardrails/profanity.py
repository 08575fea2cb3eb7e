"""Swear words and slurs of some twenty languages, as whole words: Scunthorpe is a town."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from app.guardrails.settings import GuardrailsSettings

FILE = Path(__file__).parent / "profanity.txt"
WORD = re.compile(r"[^\W\d_]+")
ANYWHERE = ("hi", "zh", "ja", "ko")
"""Languages whose words are found within others: no blanks or letters alone set them apart."""
LONGEST = 40
"""No listed word with its ending is longer."""


class Words(NamedTuple):
    whole: frozenset[str]
    beginnings: frozenset[str]
    """Of words with any ending."""
    lengths: tuple[int, ...]
    """Of the beginnings."""
    parts: re.Pattern[str]
    """Of languages whose words are found anywhere."""
    longest_part: int
    unfinished: frozenset[str]
    """What may still become one of them."""
    shortest: int
    """Of whole words and beginnings: no word is listed that does not begin like one of them."""


def words() -> Words:
    return _words(GuardrailsSettings.load().profanity)


@cache
def _words(languages: tuple[str, ...]) -> Words:
    whole, beginnings, parts = set[str](), set[str](), set[str]()
    for language, listed in _by_language():
        if not _wanted(language, languages):
            continue
        if language in ANYWHERE:
            parts.add(listed)
        elif listed.endswith("*"):
            beginnings.add(listed[:-1])
        else:
            whole.add(listed)
    everything = whole | beginnings | parts
    return Words(
        frozenset(whole),
        frozenset(beginnings),
        tuple(sorted({len(one) for one in beginnings})),
        re.compile(
            "|".join(sorted(map(re.escape, parts), key=len, reverse=True)) or "(?!)", re.IGNORECASE
        ),
        max(map(len, parts), default=0),
        frozenset(one[:end] for one in everything for end in range(1, len(one) + 1)),
        min(map(len, whole | beginnings), default=0),
    )


def _wanted(language: str, languages: tuple[str, ...]) -> bool:
    return "*" in languages or language.partition("-")[0] in languages


def _by_language() -> Iterator[tuple[str, str]]:
    language = ""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            language = line.strip("[]")
        elif not line.startswith("#"):
            for one in line.split():
                yield language, one.casefold()


def found_in(text: str, known: Words | None = None) -> Iterator[tuple[int, int]]:
    """Where they stand, from the first character to behind the last."""
    known = known or words()
    for one in WORD.finditer(text):
        if is_profane(one[0], known):
            yield one.span()
    if not text.isascii():
        for one in known.parts.finditer(text):
            yield one.span()


def is_profane(word: str, known: Words) -> bool:
    if len(word) > LONGEST:
        return False
    word = word.casefold()
    # Most words begin like none of them.
    if word[: known.shortest] not in known.unfinished:
        return False
    if word in known.whole:
        return True
    return any(word[:length] in known.beginnings for length in known.lengths)


def may_become(word: str, known: Words) -> bool:
    """Whether more letters can make it profane, or longer when it is already."""
    return len(word) <= LONGEST and (word.casefold() in known.unfinished or is_profane(word, known))
