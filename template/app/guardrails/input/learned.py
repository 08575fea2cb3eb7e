"""The learned detector's view of a question: it also knows attacks in words that no pattern has.

It learned English and takes plain questions in other languages for attacks, so those are left to
the patterns. It is sure of short questions, and takes many long prompts and texts for attacks, so
that there a window must also hold words that attacks are made of. The numbers are from texts that
scripts/guards/corpora.toml calls tuned.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from app.guardrails.detector import Detector, detector, in_thread
from app.guardrails.input.encodings import decoded
from app.guardrails.normalise import plain, undisguised
from app.guardrails.settings import GuardrailsSettings
from app.guardrails.verdicts import Question, Verdict

VERSION = 1

SHORT, LONG = 200, 500
"""A person's text up to so many characters is a question, and an instruction from so many on."""
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
class Limit:
    """A window is refused from `alone` on, and from `together` on with that many such words."""

    tokens: int
    step: int
    alone: float
    together: float = 2.0
    words: re.Pattern[str] = LIMITS
    fewest: int = 0


QUESTION = Limit(tokens=254, step=222, alone=0.52)
BETWEEN = Limit(254, 222, alone=0.97, together=0.77, words=LIMITS, fewest=2)
INSTRUCTION = Limit(254, 222, alone=0.97, together=0.5, words=LIMITS, fewest=4)
ELSEWHERE = Limit(96, 80, alone=0.97, together=0.8, words=ORDERS, fewest=4)


def is_on() -> bool:
    return GuardrailsSettings.load().learned


async def check(question: Question) -> Verdict:
    return await in_thread(
        lambda: _judged(detector(), question), GuardrailsSettings.load().learned_seconds
    )


def _judged(model: Detector, question: Question) -> Verdict:
    for text, limit, how in _texts(question):
        if not _is_english(text):
            continue
        for window in model.score(text, tokens=limit.tokens, step=limit.step):
            if window.score >= limit.alone or (
                window.score >= limit.together
                and len(set(limit.words.findall(window.text.casefold()))) >= limit.fewest
            ):
                return Verdict("block", f"{how}looks like an attack", round(window.score, 2))
    return Verdict("allow")


def _is_english(text: str) -> bool:
    """Also when it has no usual words at all: orders may be short."""
    beginning = text[:4_000].casefold()
    usual, foreign = len(ENGLISH.findall(beginning)), len(FOREIGN.findall(beginning))
    foreign += len(NOT_ASCII_LETTER.findall(beginning)) // 2
    return usual >= foreign


def _texts(question: Question) -> Iterator[tuple[str, Limit, str]]:
    text = question.text
    limit = _limit(text) if question.zone == "person" else ELSEWHERE
    yield text, limit, ""
    seen = undisguised(text)
    if seen != plain(text):
        yield seen, limit, "disguised, "
    for said in islice(decoded(text), MOST_DECODED):
        yield said[:LONGEST_DECODED], _limit(said), "encoded, "


def _limit(text: str) -> Limit:
    if len(text) < SHORT:
        return QUESTION
    return BETWEEN if len(text) < LONG else INSTRUCTION
