"""An answer that holds words of the organisation's own list ends there, or a person looks."""

from app.guardrails.output.review_words import WordScreen
from app.guardrails.review_words import begun
from app.guardrails.verdicts import AnswerContext

VERSION = 2


def open_screen(context: AnswerContext) -> WordScreen | None:
    if context.forbidden is None:
        return None
    review = context.forbidden_action == "review"
    return WordScreen(context.forbidden, begun(context.forbidden_words), review=review)
