"""Masks swear words and slurs in answers: the first letter stays."""

import re

from app.guardrails.profanity import Words, found_in, may_become, words
from app.guardrails.settings import GuardrailsSettings
from app.guardrails.verdicts import AnswerContext, Finding

VERSION = 1
HIDDEN = "***"
LAST_WORD = re.compile(r"[^\W\d_]{1,64}\Z")


def open_screen(_: AnswerContext) -> "ProfanityScreen | None":
    return ProfanityScreen() if GuardrailsSettings.load().profanity else None


class ProfanityScreen:
    def __init__(self) -> None:
        self._known = words()
        self._rest = ""
        """The word that may go on, with the character before it."""
        self._offset = 0
        self._done = 0
        """Up to here in the answer, words have been told."""

    def feed(self, text: str, *, last: bool) -> tuple[int, list[Finding]]:
        view = self._rest + text
        self._offset += len(text)
        start = self._offset - len(view)
        length = len(found[0]) if (found := LAST_WORD.search(view, max(0, len(view) - 64))) else 0
        unfinished = 0 if last else _unfinished(view, length, self._known)
        findings = []
        for begin, end in sorted(found_in(view, self._known)):
            # Where a view begins within a word, that word has been judged.
            inside = begin == 0 and start > 0
            if inside or start + begin < self._done or end > len(view) - unfinished:
                continue
            self._done = start + end
            findings.append(Finding(start + begin, start + end, "profanity", view[begin] + HIDDEN))
        self._rest = view[-max(unfinished, length, self._known.longest_part) - 1 :]
        return unfinished, findings


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
