"""Masks swear words and slurs in answers: the first letter stays."""

import re

from app.guardrails.profanity import Words, found_in, is_profane, may_become, words
from app.guardrails.settings import GuardrailsSettings
from app.guardrails.verdicts import AnswerContext, Finding

VERSION = 1
HIDDEN = "***"
LAST_WORD = re.compile(r"[^\W\d_]{1,64}\Z")
LETTERS = re.compile("[A-Za-z]+")


def open_screen(_: AnswerContext) -> "ProfanityScreen | None":
    return ProfanityScreen() if GuardrailsSettings.load().profanity else None


class ProfanityScreen:
    def __init__(self) -> None:
        self._known = words()
        self._rest = ""
        """The word that may go on, with the character before it."""
        self._length = 0
        """Of that word."""
        self._offset = 0
        self._done = 0
        """Up to here in the answer, words have been told."""

    def feed(self, text: str, *, last: bool) -> tuple[int, list[Finding]]:
        view = self._rest + text
        self._offset += len(text)
        start = self._offset - len(view)
        found, length = self._in_ascii(view) if view.isascii() else self._in_any(view)
        unfinished = 0 if last else _unfinished(view, length, self._known)
        findings = []
        for begin, end in found:
            # Where a view begins within a word, that word has been judged.
            inside = begin == 0 and start > 0
            if inside or start + begin < self._done or end > len(view) - unfinished:
                continue
            self._done = start + end
            findings.append(Finding(start + begin, start + end, "profanity", view[begin] + HIDDEN))
        self._rest = view[-max(unfinished, length, self._known.longest_part) - 1 :]
        self._length = length
        return unfinished, findings

    def _in_ascii(self, view: str) -> tuple[list[tuple[int, int]], int]:
        """Where it swears, and how long the word at its end is. What was complete has been read."""
        known, found = self._known, []
        one: re.Match[str] | None = None
        # Of the same length, as ASCII is.
        for one in LETTERS.finditer(view.lower(), len(self._rest) - self._length):
            if one[0][: known.shortest] in known.unfinished and is_profane(one[0], known):
                found.append(one.span())
        at_end = one is not None and one.end() == len(view)
        return found, min(64, len(one[0])) if one and at_end else 0

    def _in_any(self, view: str) -> tuple[list[tuple[int, int]], int]:
        last = LAST_WORD.search(view, max(0, len(view) - 64))
        return sorted(found_in(view, self._known)), len(last[0]) if last else 0


def _unfinished(view: str, length: int, known: Words) -> int:
    """How many characters at the end may still become part of such a word.

    `length`: of the word at the end.
    """
    waiting = length if length and may_become(view[-length:], known) else 0
    if view.isascii():
        return waiting
    for size in range(min(known.longest_part, len(view)), waiting, -1):
        if not view[-size].isascii() and view[-size:].casefold() in known.unfinished:
            return size
    return waiting
