"""Words and phrases of the settings, found whole, in any case and across line breaks."""

import re
from functools import lru_cache

from app.guardrails.settings import GuardrailsSettings

BLANKS = re.compile(r"\s+")
START = re.compile(r"(?<!\w)(?=\S)")


def pattern() -> re.Pattern[str] | None:
    """None when no words are set."""
    return compiled(GuardrailsSettings.load().review_words)


@lru_cache(maxsize=8)
def compiled(phrases: tuple[str, ...]) -> re.Pattern[str] | None:
    found = [r"\s+".join(re.escape(word) for word in one.split()) for one in phrases if one.strip()]
    if not found:
        return None
    return re.compile(rf"(?<!\w)(?:{'|'.join(found)})(?!\w)", re.IGNORECASE)


class Phrases:
    """Tells where in a text that goes on one of them may have begun.

    Letters are compared in their folded case, as the pattern does it or more widely.
    """

    def __init__(self, phrases: tuple[str, ...]) -> None:
        self._folded = [" ".join(one.split()).casefold() for one in phrases if one.strip()]
        self._starts = max((len(START.findall(one)) for one in self._folded), default=0)
        first = {one.lstrip()[0] for one in phrases if one.strip()}
        either = re.compile("|".join(map(re.escape, first)) or "(?!)", re.IGNORECASE)
        folded = {one[0] for one in self._folded}
        ascii_ = [c for c in map(chr, range(128)) if either.match(c) or c.lower() in folded]
        self._start = re.compile(f"(?<!\\w)[{re.escape(''.join(ascii_))}]" if ascii_ else "(?!)")

    def may_begin(self, text: str) -> bool:
        """Whether one of them begins in the text, by its first letter."""
        return not text.isascii() or self._start.search(text) is not None

    def unfinished(self, view: str, at: int) -> int:
        """How many characters at the end of `view`, which is new from `at` on, must wait."""
        # Most words begin like none of them.
        pattern = self._start if view.isascii() else START
        starts = [found.start() for found in pattern.finditer(view, at)]
        for start in starts[-self._starts :]:
            tail = BLANKS.sub(" ", view[start:])
            folded = tail.casefold()
            # Letters that grow when they are folded stand for more than one here: better wait.
            if len(folded) > len(tail) or any(one.startswith(folded) for one in self._folded):
                return len(view) - start
        return 0


@lru_cache(maxsize=64)
def begun(words: tuple[str, ...]) -> Phrases:
    return Phrases(words)


def phrases() -> Phrases:
    return begun(GuardrailsSettings.load().review_words)
