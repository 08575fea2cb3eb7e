"""Personal data leaves the house as a placeholder, and comes back in the answer."""

from app.guardrails.personal_data import personal_data
from app.guardrails.settings import GuardrailsSettings
from app.guardrails.verdicts import Mask, Question, Verdict

VERSION = 1
MASKS = True


def is_on() -> bool:
    return bool(GuardrailsSettings.load().mask)


async def check(question: Question) -> Verdict:
    settings = GuardrailsSettings.load()
    masks = tuple(
        Mask(*one)
        for one in personal_data(question.text, settings.phone_countries)
        if one.kind in settings.mask
    )
    return Verdict("mask", "personal data", masks=masks) if masks else Verdict("allow")
