"""The learned detector's view of a question: it also knows attacks in words that no pattern has.

It learned English and takes plain questions in other languages for attacks, so those are left to
the patterns. It is sure of short questions, and takes many long prompts and texts for attacks, so
that there the head decides, which was trained on more of such texts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from app.guardrails.detector import Detector, Window, detector, in_thread
from app.guardrails.head import head
from app.guardrails.input.encodings import decoded
from app.guardrails.normalise import plain, undisguised
from app.guardrails.settings import GuardrailsSettings
from app.guardrails.verdicts import Question, Verdict

VERSION = 2

SHORT, LONG = 200, 500
"""A person's text up to so many characters is a question, and an instruction from so many on."""
MOST_DECODED = 4
LONGEST_DECODED = 2_000
SURE = 0.52
"""Of the detector's own number, for short questions; its makers chose it."""

ENGLISH = re.compile(
    r"\b(?:the|and|of|to|is|are|you|your|that|this|it|for|with|what|how|i|not|have|be|can|from|my)\b"
)
FOREIGN = re.compile(
    r"\b(?:der|das|und|ist|wie|ich|du|sie|wo|bist|nicht|ein|eine|einen|von|zu|mit|den|dem|wir"
    r"|le|la|les|des|est|une|je|que|qui|tu|vous|nous|dans|pour|mon|ton|el|los|las|como|por|una|es"
    r"|del|il|lo|gli|che|di|mia|mio|sono|het|een|van|jij|hoe|ik|um|uma|os|e|og|er|det|att|och|jag"
    r"|ett|si|se|na|je|jak|nie|w|z|ve|bir|bu|en|som|har|av|no|pe|cu|nu|za|su|da|kan|tuo|toi|moi)\b"
)
NOT_ASCII_LETTER = re.compile(r"[^\W\d_a-zA-Z]")


@dataclass(frozen=True, slots=True)
class Band:
    """Texts of a kind, and from which number on a window is refused: `head` names a limit of it."""

    tokens: int
    step: int
    head: str = ""


QUESTION = Band(tokens=254, step=222)
BETWEEN = Band(254, 222, "between")
INSTRUCTION = Band(254, 222, "instruction")
ELSEWHERE = Band(96, 80, "elsewhere")


def is_on() -> bool:
    return GuardrailsSettings.load().learned


async def check(question: Question) -> Verdict:
    return await in_thread(
        lambda: _judged(detector(), question), GuardrailsSettings.load().learned_seconds
    )


def _judged(model: Detector, question: Question) -> Verdict:
    for text, band, how in _texts(question):
        if not is_english(text):
            continue
        for window in model.score(text, tokens=band.tokens, step=band.step):
            if _is_attack(window, band):
                return Verdict("block", f"{how}looks like an attack", round(window.score, 2))
    return Verdict("allow")


def _is_attack(window: Window, band: Band) -> bool:
    if not band.head:
        return window.score >= SURE
    return head().rate(window.vector, window.text) >= head().limits[band.head]


def is_english(text: str) -> bool:
    """Also when it has no usual words at all: orders may be short."""
    beginning = text[:4_000].casefold()
    usual, foreign = len(ENGLISH.findall(beginning)), len(FOREIGN.findall(beginning))
    foreign += len(NOT_ASCII_LETTER.findall(beginning)) // 2
    return usual >= foreign


def _texts(question: Question) -> Iterator[tuple[str, Band, str]]:
    text = question.text
    band = band_of(text) if question.zone == "person" else ELSEWHERE
    yield text, band, ""
    seen = undisguised(text)
    if seen != plain(text):
        yield seen, band, "disguised, "
    for said in islice(decoded(text), MOST_DECODED):
        yield said[:LONGEST_DECODED], band_of(said), "encoded, "


def band_of(text: str) -> Band:
    if len(text) < SHORT:
        return QUESTION
    return BETWEEN if len(text) < LONG else INSTRUCTION
