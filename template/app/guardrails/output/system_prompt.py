"""The system prompt in an answer: eight of its words in a row end the answer."""

import re
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

from app.guardrails.verdicts import AnswerContext, Finding

VERSION = 1

# Fewer words in a row are ordinary language.
GRAM = 8
WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Prompt:
    """A system prompt, ready to be recognised."""

    after: dict[str, tuple[int, ...]]
    """For each word the places right after it."""
    alphabetical: tuple[str, ...]
    longest_word: int

    def may_begin(self, letters: str) -> bool:
        """Whether a word of the prompt begins so."""
        place = bisect_left(self.alphabetical, letters)
        return place < len(self.alphabetical) and self.alphabetical[place].startswith(letters)


def open_screen(context: AnswerContext) -> "PromptScreen | None":
    prompt = _prompt(context.system_prompt)
    return PromptScreen(prompt) if prompt else None


@lru_cache(maxsize=64)
def _prompt(text: str) -> Prompt | None:
    words = WORD.findall(text.casefold())
    if len(words) < GRAM:
        return None
    after: dict[str, list[int]] = {}
    for place, word in enumerate(words, 1):
        after.setdefault(word, []).append(place)
    return Prompt(
        {word: tuple(places) for word, places in after.items()},
        tuple(sorted(after)),
        max(map(len, after)),
    )


class PromptScreen:
    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt
        self._offset = 0
        self._word = ""
        """The beginning of a word that the next piece may go on with."""
        self._runs: dict[int, int] = {}
        """Places in the prompt where the answer may be, with the number of words that led there."""
        self._starts: list[int] = []
        """Where the latest words of the answer begin."""

    def feed(self, text: str, *, last: bool) -> tuple[int, list[Finding]]:
        view, base = self._word + text, self._offset - len(self._word)
        self._offset += len(text)
        self._word = ""
        for word in WORD.finditer(view):
            if word.end() == len(view) and not last:
                # More letters than any word of the prompt has need not be remembered.
                self._word = word[0][: self._prompt.longest_word + 1]
                return self._offset - self._waiting_from(base + word.start(), word[0]), []
            said = word[0].casefold()
            if said not in self._prompt.after:
                self._runs, self._starts = {}, []
                continue
            self._advance(said, base + word.start())
            if GRAM in self._runs.values():
                start, end = self._starts[-GRAM], base + word.end()
                return 0, [Finding(start, end, "system prompt")]
        return (0 if last else self._offset - self._waiting_from(self._offset, "")), []

    def _advance(self, word: str, start: int) -> None:
        runs = self._runs
        self._runs = {place: runs.get(place - 1, 0) + 1 for place in self._prompt.after[word]}
        self._starts = [*self._starts[1 - GRAM :], start]

    def _waiting_from(self, position: int, unfinished: str) -> int:
        """The first character that may still become part of a finding."""
        if unfinished and not self._prompt.may_begin(unfinished.casefold()):
            return self._offset
        longest = max(self._runs.values(), default=0)
        return self._starts[-longest] if longest else position
