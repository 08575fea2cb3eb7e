"""Pasted keys and tokens go to the model as placeholders; a private key does not go at all."""

from app.guardrails.output.secrets import PRIVATE, secrets_in
from app.guardrails.verdicts import Mask, Question, Verdict

VERSION = 1
MASKS = True


async def check(question: Question) -> Verdict:
    found = secrets_in(question.text)
    masks = tuple(Mask(start, end, "secret") for start, end, _ in found)
    if any(kind == PRIVATE for _, _, kind in found):
        return Verdict("block", PRIVATE, 1.0, masks)
    return Verdict("mask", "secrets", masks=masks) if masks else Verdict("allow")
