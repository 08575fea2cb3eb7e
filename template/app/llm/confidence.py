"""How far an answer can be trusted, as far as that shows without asking anybody.

A number from 0 to 100 that puts answers in an order. It is no probability: docs/review.md says what
it is made of, and the review page how often people approved answers of each band.
"""

import re
from collections.abc import Sequence
from math import exp
from typing import NamedTuple

from app.llm.port import Finish, Passage

# An English, German, French, Spanish or Italian answer says so itself.
REFUSED = re.compile(
    r"\b(?:I (?:do not|don['’]t|cannot|can['’]t) (?:know|answer|find|help)"
    r"|(?:passages|documents) do(?: not|n['’]t) (?:say|answer|contain|mention)"
    r"|I (?:have no|am unable)|no information (?:about|on)"
    r"|(?:das )?wei(?:ß|ss) ich nicht|kann ich nicht (?:beantworten|sagen)|keine Informationen"
    r"|je ne (?:sais|peux) pas|aucune information|no (?:lo )?sé\b|no puedo (?:responder|ayudar)"
    r"|non (?:lo )?so\b|non posso (?:rispondere|aiutare))",
    re.IGNORECASE,
)
HEDGED = re.compile(
    r"\b(?:I think|I believe|I['’]m not (?:sure|certain)|I am not (?:sure|certain)|probably|perhaps"
    r"|might be|may be wrong|as far as I know|possibly"
    r"|vermutlich|vielleicht|wahrscheinlich|möglicherweise|soweit ich wei(?:ß|ss)"
    r"|peut-être|probablement|je crois|quizás|tal vez|probablemente|creo que"
    r"|forse|probabilmente|credo che)\b",
    re.IGNORECASE,
)
# Nobody's stream waits for the end of a book.
MOST_CHARACTERS = 10_000
FACTORS = {"refused": 0.3, "uncited": 0.5, "hedged": 0.6, "cut": 0.6}


class Confidence(NamedTuple):
    score: int
    signals: list[str]


def measured(text: str, finish: Finish, passages: Sequence[Passage]) -> Confidence:
    """The tokens' mean probability where the provider tells it, less for what the answer shows."""
    signals, text = [], text[:MOST_CHARACTERS]
    if not text.strip() or REFUSED.search(text):
        signals.append("refused")
    if HEDGED.search(text):
        signals.append("hedged")
    if passages and not finish.sources:
        signals.append("uncited")
    if finish.reason == "length":
        signals.append("cut")
    score = 100.0
    if finish.mean_logprob is not None:
        score *= min(1.0, exp(finish.mean_logprob))
    for one in signals:
        score *= FACTORS[one]
    if finish.mean_logprob is not None:
        signals.append("token probability")
    return Confidence(round(score), signals)
