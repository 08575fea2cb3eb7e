"""Words and phrases of the settings, found whole, in any case and across line breaks."""

import re
from functools import lru_cache

from app.guardrails.settings import GuardrailsSettings


def pattern() -> re.Pattern[str] | None:
    """None when no words are set."""
    return compiled(GuardrailsSettings.load().review_words)


@lru_cache(maxsize=8)
def compiled(phrases: tuple[str, ...]) -> re.Pattern[str] | None:
    found = [r"\s+".join(re.escape(word) for word in one.split()) for one in phrases if one.strip()]
    if not found:
        return None
    return re.compile(rf"(?<!\w)(?:{'|'.join(found)})(?!\w)", re.IGNORECASE)


def longest() -> int:
    """Characters of the longest phrase, with room for more blanks than it is written with."""
    return max((2 * len(one) for one in GuardrailsSettings.load().review_words), default=0)
