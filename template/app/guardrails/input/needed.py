"""What must stand in a text so that a regular expression can match: most need some word, and most
texts have none of these words, which is quickly seen.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from math import prod
from typing import Any

Words = frozenset[str]
LETTERS = 4
"""So many in a row of a word are looked for first."""
MOST = 64
"""Of so many words instead of which a pattern needs one, a look is worth it."""
JOINED = 4
"""So many words are made of parts that follow each other."""
KEPT = 2

_parser: Any = import_module("re._parser")


def needed(pattern: re.Pattern[str]) -> list[Words]:
    """Sets of words, the rarest first: of each, one stands in every text that matches."""
    if pattern.flags & re.IGNORECASE:
        return []
    exact, needs = _of_sequence(_parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE))
    found = {one for one in [*needs, *([exact] if exact else [])] if "" not in one}
    return [_without_longer(one) for one in sorted(found, key=lambda one: (_likely(one), *one))]


def _of_sequence(items: Iterable[tuple[Any, Any]]) -> tuple[Words | None, list[Words]]:
    """All that it can match, when that is little, and what it needs."""
    said, needs, is_exact = frozenset([""]), list[Words](), True
    for operation, what in items:
        exact, more = _of_one(str(operation), what)
        needs += more
        if exact is not None and len(exact) * len(said) <= JOINED:
            said = frozenset(one + other for one in said for other in exact)
            continue
        needs.append(said)
        is_exact, said = False, exact if exact is not None else frozenset([""])
    return (said, needs) if is_exact else (None, [*needs, said])


def _of_one(operation: str, what: Any) -> tuple[Words | None, list[Words]]:
    if operation == "LITERAL":
        return frozenset([chr(what)]), []
    if operation == "IN":
        kinds = {str(kind) for kind, _ in what}
        return (frozenset(chr(one) for _, one in what) if kinds == {"LITERAL"} else None), []
    if operation in ("AT", "ASSERT", "ASSERT_NOT"):
        return frozenset([""]), []
    if operation == "SUBPATTERN":
        _, on, off, inner = what
        return (None, []) if on or off else _of_sequence(inner)
    if operation == "ATOMIC_GROUP":
        return _of_sequence(what)
    if operation == "BRANCH":
        return _of_branches([_of_sequence(one) for one in what[1]])
    if operation in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, most, inner = what
        exact, needs = _of_sequence(inner)
        if most == 1 and exact is not None:
            return exact | ({""} if least == 0 else set()), needs if least else []
        return None, [*needs, *([exact] if exact else [])] if least else []
    return None, []


def _of_branches(
    branches: Sequence[tuple[Words | None, list[Words]]],
) -> tuple[Words | None, list[Words]]:
    if all(exact is not None for exact, _ in branches):
        whole = frozenset(word for exact, _ in branches for word in exact or ())
        if len(whole) <= MOST:
            return whole, []
    one_of = set[str]()
    for exact, needs in branches:
        usable = [one for one in [*needs, *([exact] if exact else [])] if "" not in one]
        if not usable:
            return None, []
        rarest: Words = min(usable, key=_likely)
        one_of |= rarest
    return None, [frozenset(one_of)]


def _without_longer(words: Words) -> Words:
    """Whatever holds a longer one holds the shorter one in it."""
    return frozenset(
        one for one in words if not any(other != one and other in one for other in words)
    )


def _likely(words: Words) -> float:
    """How often one of them may stand in a text, from rarest to most."""
    return sum(prod(0.2 if one in "etaoinsrl " else 0.06 for one in word) for word in words)


class Index:
    """Of some patterns those that a text can match."""

    def __init__(self, patterns: Iterable[re.Pattern[str]]) -> None:
        """A bit stands for a pattern."""
        self._needs: list[list[Words]] = []
        self._foreign = 0
        """They match nothing in plain ASCII."""
        self._always = [0] * KEPT
        self._by_letters: dict[str, list[int]] = {}
        for number, pattern in enumerate(patterns):
            bit, needs = 1 << number, needed(pattern)
            if any(not any(map(str.isascii, one)) for one in needs):
                self._foreign |= bit
            needs = [one for one in needs if min(map(len, one)) >= LETTERS][:KEPT]
            self._needs.append(needs)
            for at in range(KEPT):
                if at >= len(needs):
                    self._always[at] |= bit
                    continue
                for word in needs[at]:
                    self._by_letters.setdefault(_rarest(word), [0] * KEPT)[at] |= bit
        self._letters = frozenset(self._by_letters)

    def possible(self, text: str, among: int = -1) -> Iterator[int]:
        """The places of patterns, in order; `among` has a bit for each that is asked for."""
        seen = {text[at : at + LETTERS] for at in range(len(text) - LETTERS + 1)}
        first, second = self._always
        for letters in self._letters & seen:
            one, other = self._by_letters[letters]
            first |= one
            second |= other
        left = first & second & among
        if text.isascii():
            left &= ~self._foreign
        while left:
            lowest = left & -left
            left ^= lowest
            number = lowest.bit_length() - 1
            if all(any(word in text for word in one) for one in self._needs[number]):
                yield number


def _rarest(word: str) -> str:
    parts = [word[at : at + LETTERS] for at in range(len(word) - LETTERS + 1)]
    return min(parts, key=lambda one: _likely(frozenset([one])))
