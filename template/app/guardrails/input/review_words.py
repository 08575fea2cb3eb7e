"""A question that holds words of the settings is answered after a person has looked."""

import re

from app.guardrails.normalise import plain
from app.guardrails.review_words import pattern
from app.guardrails.verdicts import Question, Verdict

VERSION = 1


def is_on() -> bool:
    return pattern() is not None


async def check(question: Question) -> Verdict:
    known = pattern()
    if known is not None and question.zone == "person" and _holds(known, question.text):
        return Verdict("review", "words")
    return Verdict("allow")


def _holds(known: re.Pattern[str], text: str) -> bool:
    return known.search(text) is not None or known.search(plain(text)) is not None
