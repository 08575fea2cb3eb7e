"""An answer that holds words of the settings is shown after a person has looked."""

import re

from app.guardrails.review_words import longest, pattern
from app.guardrails.verdicts import AnswerContext, Finding

VERSION = 1


def open_screen(_: AnswerContext) -> "WordScreen | None":
    known = pattern()
    return WordScreen(known, longest()) if known else None


class WordScreen:
    def __init__(self, known: re.Pattern[str], longest: int, *, review: bool = True) -> None:
        self._review = review
        self._known = known
        self._longest = longest
        self._rest = ""
        """What may still become part of a phrase, with the character before it."""
        self._fresh = 0
        """Characters of it that have not been shown."""
        self._offset = 0
        self._found = False

    def feed(self, text: str, *, last: bool) -> tuple[int, list[Finding]]:
        view = self._rest + text
        self._offset += len(text)
        self._fresh += len(text)
        if self._found:
            return 0, []
        # A word that ends the text may go on.
        found = self._known.search(view)
        if found and (last or found.end() < len(view)):
            self._found = True
            start = self._offset - len(view)
            return 0, [
                Finding(start + found.start(), start + found.end(), "words", review=self._review)
            ]
        waiting = 0 if last else min(self._fresh, self._longest)
        self._fresh = waiting
        self._rest = view[-(waiting + 1) :]
        return waiting, []
