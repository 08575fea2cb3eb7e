"""Attempts to change the assistant's instructions or to get at them.

A tripwire, not the wall: it knows usual phrasings, also disguised and encoded ones. What keeps
data safe is what the model may reach at all.
"""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace

from app.guardrails.input.documentation import is_about_attacks, unquoted
from app.guardrails.input.encodings import decoded
from app.guardrails.input.injection_patterns import SQUEEZED, matching
from app.guardrails.normalise import plain, undisguised
from app.guardrails.settings import GuardrailsSettings
from app.guardrails.verdicts import Question, Verdict, Zone

VERSION = 7

# One search must not hold the event loop; what stands across two windows is seen in the overlap.
WINDOW = 2048
OVERLAP = 512
MOST_DECODED = 65_536
ENCODED_COUNTS = 2
NOT_LETTERS = re.compile(r"[\W_]+")


async def check(question: Question) -> Verdict:
    settings = GuardrailsSettings.load()
    limit, look = settings.injection_score, settings.review_score
    worst = Verdict("allow")
    if question.hidden:
        # Nobody sees these characters, so nobody wrote them for a person to read.
        return Verdict("block", "invisible text", 1.0)
    quotes = question.zone == "document" and is_about_attacks(question.text)
    for number, window in enumerate(_windows(question.text)):
        if number:
            await asyncio.sleep(0)
        if quotes:
            window = unquoted(window)
        found = _score(window, question.zone)
        if found.score >= limit:
            return Verdict("block", found.reason, found.score)
        worst = max(worst, found, key=lambda verdict: verdict.score)
    return replace(worst, action="review") if 0 < look <= worst.score else worst


def _windows(text: str) -> Iterator[str]:
    for start in range(0, max(1, len(text) - OVERLAP), WINDOW - OVERLAP):
        yield text[start : start + WINDOW]


def _score(text: str, zone: Zone) -> Verdict:
    seen, disguised = plain(text), undisguised(text)
    best = _matches(seen, zone, "")
    if disguised != seen:
        best = max(best, _matches(disguised, zone, "disguised "), key=lambda one: one.score)
        if best.score < 1 and SQUEEZED.search(NOT_LETTERS.sub("", disguised)):
            best = Verdict("allow", "disguised override", 1.0)
    left = MOST_DECODED
    for said in decoded(text):
        left -= len(said)
        if left < 0:
            break
        found = _matches(plain(said), zone, "encoded ")
        # Who encodes even a hint of an order does so to hide it.
        found = replace(found, score=min(1.0, found.score * ENCODED_COUNTS))
        best = max(best, found, key=lambda one: one.score)
    return best


def _matches(text: str, zone: Zone, how: str) -> Verdict:
    """The sum of the weights of the patterns that match, named after the heaviest."""
    total, heaviest, reason = 0.0, 0.0, ""
    for pattern in matching(text, zone):
        total += pattern.weight
        if pattern.weight > heaviest:
            heaviest, reason = pattern.weight, how + pattern.kind
    return Verdict("allow", reason, round(total, 2))
