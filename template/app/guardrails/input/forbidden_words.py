"""A question that holds words of the organisation's own list is refused, or a person looks."""

from app.guardrails.normalise import plain
from app.guardrails.verdicts import Question, Verdict

VERSION = 1


async def check(question: Question) -> Verdict:
    known = question.forbidden
    if known is None or question.zone != "person":
        return Verdict("allow")
    if known.search(question.text) or known.search(plain(question.text)):
        return Verdict(question.forbidden_action, "words", 1.0)
    return Verdict("allow")
