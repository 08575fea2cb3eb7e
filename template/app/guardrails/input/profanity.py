"""Notes swear words and slurs in questions. People may swear; an organisation may forbid it."""

import asyncio

from app.guardrails.normalise import undisguised
from app.guardrails.profanity import found_in, words
from app.guardrails.settings import GuardrailsSettings
from app.guardrails.verdicts import Question, Verdict

VERSION = 1
PART = 4_096


def is_on() -> bool:
    return bool(GuardrailsSettings.load().profanity)


async def check(question: Question) -> Verdict:
    if question.zone != "person":
        return Verdict("allow")
    known = words()
    for start in range(0, len(question.text), PART):
        if start:
            await asyncio.sleep(0)
        part = question.text[start : start + PART]
        if any(True for view in (part, undisguised(part)) for _ in found_in(view, known)):
            return Verdict("allow", "profanity", 0.5)
    return Verdict("allow")
