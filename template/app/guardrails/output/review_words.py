"""An answer that holds words of the settings is shown after a person has looked."""

import re

from app.guardrails.review_words import Phrases, pattern, phrases
from app.guardrails.verdicts import AnswerContext, Finding

VERSION = 2


def open_screen(_: AnswerContext) -> "WordScreen | None":
    known = pattern()
    return WordScreen(known, phrases()) if known else None


class WordScreen:
    def __init__(self, known: re.Pattern[str], begun: Phrases, *, review: bool = True) -> None:
        self._review = review
        self._known = known
        self._begun = begun
        self._before = ""
        """The last character that was shown: a word that began there is none of ours."""
        self._rest = ""
        """What may still become one of the phrases."""
        self._offset = 0
        self._found = False

    def feed(self, text: str, *, last: bool) -> tuple[int, list[Finding]]:
        if self._found:
            return 0, []
        if text and not last and not self._rest and not self._begun.may_begin(text):
            self._before = text[-1]
            self._offset += len(text)
            return 0, []
        view, at = self._before + self._rest + text, len(self._before)
        self._offset += len(text)
        # A word that ends the text may go on.
        found = self._known.search(view, at)
        if found and (last or found.end() < len(view)):
            self._found = True
            start = self._offset - len(view)
            return 0, [
                Finding(start + found.start(), start + found.end(), "words", review=self._review)
            ]
        waiting = 0 if last else self._begun.unfinished(view, at)
        shown = len(view) - waiting
        self._before, self._rest = view[max(0, shown - 1) : shown], view[shown:]
        return waiting, []
