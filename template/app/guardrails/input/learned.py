"""The learned detector's view of a question: it also knows attacks in words that no pattern has.

It learned English and takes plain questions in other languages for attacks, so those are left to
the patterns. What it makes of a window is judged by a head of our own, which was trained on more
kinds of texts, orders of people above all. How many words that attacks are made of stand in
the window counts, too: of attacks of a kind that the head never saw, they find some that it does
not.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from app.guardrails.detector import Detector, Part, Window, detector, in_thread, is_loaded
from app.guardrails.head import gate, head, limits
from app.guardrails.input.documentation import is_about_attacks
from app.guardrails.input.encodings import decoded
from app.guardrails.normalise import plain, undisguised
from app.guardrails.settings import GuardrailsSettings
from app.guardrails.verdicts import Question, Verdict, Zone

VERSION = 5

SHORT, LONG = 200, 500
"""A person's text up to so many characters is a question, and an instruction from so many on."""
MOST_WORDS = 8
MOST_DECODED = 4
LONGEST_DECODED = 2_000

LIMITS = re.compile(
    r"\b(jailbr\w+|unfiltered|uncensored|unrestricted|censor\w*|restrict\w+|openai|chat ?gpt|gpt"
    r"|moral\w*|immoral|ethic\w*|unethical|illegal\w*|refus\w+|disclaimers?|warnings?|obey\w*|comply"
    r"|evil|dan|persona|character|pretend\w*|role ?play\w*|ignore\w*|disregard|forget|bypass\w*"
    r"|override|no longer|hypothetical|fictional|filter\w*|polic(?:y|ies)|guidelines|forbidden"
    r"|prohibit\w+|harmful|dangerous|explicit|offensive|swear\w*|curse|nsfw|always answer|as an ai"
    r"|free from|not bound|do anything|developer mode|stay in|amoral|unhinged|rebel\w*|sentient"
    r"|system prompt|instructions)\b"
)
"""Words of those who talk a model out of its limits."""
ORDERS = re.compile(
    r"\b(ignore\w*|disregard|forget|override|instead|respond|reply|answer|output|print|repeat|say"
    r"|tell|reveal|instructions?|prompt|system|assistant|gpt|llm|language model|ai|agent|user|task"
    r"|must|you|your|please|do not|immediately|urgent|important|before|secret|password|send|forward"
    r"|execute|run|include|mention|summary|response)\b"
)
"""Words of orders, which a document or a tool's result has no business to give."""

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
    """A kind of texts; what a head and these words say of a window must stay below its limit."""

    tokens: int
    step: int
    head: str
    limit: str
    limits_count: float = 0.0
    orders_count: float = 0.0
    """How much each different one of the words speaks for an attack."""
    alone: float = 2.0
    together: float = 2.0
    fewest: int = 0
    """The detector's number is enough: alone, or together with so many words of orders."""


QUESTION = Band(254, 222, "person", "question", limits_count=2.0, orders_count=0.4)
BETWEEN = Band(254, 222, "person", "between", limits_count=1.6, orders_count=0.4)
INSTRUCTION = Band(254, 222, "person", "instruction", limits_count=1.6)
DOCUMENT = Band(96, 80, "elsewhere", "document")
TOOL = Band(96, 80, "elsewhere", "tool", alone=0.97, together=0.8, fewest=4)
# Manuals of guards quote attacks, which the detector takes for attacks.
DOCUMENTATION = Band(96, 80, "elsewhere", "documentation")


def is_on() -> bool:
    return GuardrailsSettings.load().learned


async def check(question: Question) -> Verdict:
    if len(question.text) < SHORT and is_loaded() and _is_plain(question):
        return Verdict("allow")
    return await in_thread(
        lambda: _judged(detector(), question), GuardrailsSettings.load().learned_seconds
    )


def _is_plain(question: Question) -> bool:
    """Whether no detector could find an attack in it: told sooner than a thread wakes."""
    return next(_doubted(detector(), question), None) is None


def _judged(model: Detector, question: Question) -> Verdict:
    for part, band, how, missing in _doubted(model, question):
        window = model.look(part)
        if is_sure(window, band) or head(band.head).of_view(window.vector) >= missing:
            return Verdict("block", f"{how}looks like an attack", round(window.score, 2))
    return Verdict("allow")


def _doubted(model: Detector, question: Question) -> Iterator[tuple[Part, Band, str, float]]:
    """Windows that may be an attack, and how much of it the detector's view must speak for one."""
    for text, band, how in _texts(question):
        if not is_english(text):
            continue
        for part in model.parts(text, tokens=band.tokens, step=band.step):
            known = head(band.head)
            missing = limits()[band.limit] - known.of_letters(part.text) - of_words(part.text, band)
            # Of most texts no view could make an attack, so the detector is not asked.
            if missing <= _at_most(part, band) or band.alone <= 1:
                yield part, band, how, missing


def _at_most(part: Part, band: Band) -> float:
    """How much the detector's view of it may speak for an attack."""
    most, known = head(band.head).most, gate(band.limit)
    return min(most, known.at_most(part.ids)) if known else most


def is_sure(window: Window, band: Band) -> bool:
    if window.score >= band.alone:
        return True
    if window.score < band.together:
        return False
    return len(set(ORDERS.findall(window.text.casefold()))) >= band.fewest


def of_words(text: str, band: Band) -> float:
    """How much the words of attacks in a text speak for one."""
    text = text.casefold()
    found = 0.0
    for pattern, count in ((LIMITS, band.limits_count), (ORDERS, band.orders_count)):
        if count:
            found += count * min(MOST_WORDS, len(set(pattern.findall(text))))
    return found


def is_english(text: str) -> bool:
    """Also when it has no usual words at all: orders may be short."""
    beginning = text[:4_000].casefold()
    usual, foreign = len(ENGLISH.findall(beginning)), len(FOREIGN.findall(beginning))
    foreign += len(NOT_ASCII_LETTER.findall(beginning)) // 2
    return usual >= foreign


def _texts(question: Question) -> Iterator[tuple[str, Band, str]]:
    text = question.text
    band = band_of(text, question.zone)
    yield text, band, ""
    seen = undisguised(text)
    if seen != plain(text):
        yield seen, band, "disguised, "
    for said in islice(decoded(text), MOST_DECODED):
        yield said[:LONGEST_DECODED], band_of(said, "person"), "encoded, "


def band_of(text: str, zone: Zone) -> Band:
    if zone == "tool":
        return TOOL
    if zone == "document":
        return DOCUMENTATION if is_about_attacks(text) else DOCUMENT
    if len(text) < SHORT:
        return QUESTION
    return BETWEEN if len(text) < LONG else INSTRUCTION
