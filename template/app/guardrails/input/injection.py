"""Attempts to change the assistant's instructions or to get at them.

A tripwire, not the wall: it knows usual phrasings, also disguised and encoded ones. What keeps
data safe is what the model may reach at all.
"""

import asyncio
import re
from collections.abc import Iterator

from app.guardrails.input.encodings import decoded
from app.guardrails.input.injection_patterns import PATTERNS, SQUEEZED
from app.guardrails.normalise import plain, undisguised
from app.guardrails.settings import GuardrailsSettings
from app.guardrails.verdicts import Question, Verdict

VERSION = 1

# One search must not hold the event loop; what stands across two windows is seen in the overlap.
WINDOW = 4096
OVERLAP = 512
MOST_DECODED = 65_536
NOT_LETTERS = re.compile(r"[\W_]+")


async def check(question: Question) -> Verdict:
    limit = GuardrailsSettings.load().injection_score
    worst = Verdict("allow")
    for number, window in enumerate(_windows(question)):
        if number:
            await asyncio.sleep(0)
        found = _score(window)
        if found.score >= limit:
            return Verdict("block", found.reason, found.score)
        worst = max(worst, found, key=lambda verdict: verdict.score)
    return worst


def _windows(question: Question) -> Iterator[str]:
    text = question.text
    for start in range(0, max(1, len(text) - OVERLAP), WINDOW - OVERLAP):
        yield text[start : start + WINDOW]
    if question.hidden:
        yield question.hidden[:WINDOW]


def _score(text: str) -> Verdict:
    best = _matches(plain(text), "")
    disguised = undisguised(text)
    if disguised != plain(text):
        best = max(best, _matches(disguised, "disguised "), key=lambda one: one.score)
        if best.score < 1 and SQUEEZED.search(NOT_LETTERS.sub("", disguised)):
            best = Verdict("allow", "disguised override", 1.0)
    left = MOST_DECODED
    for said in decoded(text):
        left -= len(said)
        if left < 0:
            break
        best = max(best, _matches(plain(said), "encoded "), key=lambda one: one.score)
    return best


def _matches(text: str, how: str) -> Verdict:
    """The sum of the weights of the patterns that match, named after the heaviest."""
    total, heaviest, reason = 0.0, 0.0, ""
    for pattern in PATTERNS:
        if pattern.regex.search(text):
            total += pattern.weight
            if pattern.weight > heaviest:
                heaviest, reason = pattern.weight, how + pattern.kind
    return Verdict("allow", reason, round(total, 2))
