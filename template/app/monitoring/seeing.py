"""What a question and an answer are like, as a few numbers from which no word follows."""

import re
from datetime import datetime
from hashlib import blake2b
from uuid import UUID

from app.core.crypto import keyed_digest
from app.evals.languages import language as language_of

READ_CHARACTERS = 2_000
"""More of a question says little more, and the event loop waits meanwhile."""
TOPICS = 24
WORD = re.compile(r"[^\W\d_]{4,}|[\u3040-\u30ff\u4e00-\u9fff]{2}")
BEGINNING = 160
# How models begin an answer that is none; a rough measure, the same for every window.
DECLINES = re.compile(
    r"\b(?:I(?:'m| am) (?:sorry|unable|not able|afraid)|I (?:can(?:no|')t|won't|will not)"
    r" (?:help|assist|provide|answer|do that|comply|share)|as an AI"
    r"|(?:das )?kann ich (?:leider )?nicht|tut mir leid|ich darf nicht"
    r"|je ne peux pas|je suis désolée?|no puedo|lo siento|non posso|mi dispiace"
    r"|não posso|lamento)\b",
    re.IGNORECASE,
)


def language(question: str) -> str:
    """A code of two letters, or nothing."""
    return language_of(question[:READ_CHARACTERS])


def topic(question: str) -> int:
    """The box of one word of the question, the one whose keyed digest is the least (minhash).

    Each question counts once, so that boxes can be compared by tests for independent counts; the
    words that people use decide how full the boxes are. A question without words is in box 0.
    """
    words = set(WORD.findall(question[:READ_CHARACTERS].casefold()))
    if not words:
        return 0
    key = keyed_digest("", "monitoring topics")[:16]
    least = min(blake2b(word.encode(), digest_size=8, key=key).digest() for word in words)
    # The least digests are all small: the box comes from the bits behind those that chose it.
    return 1 + int.from_bytes(blake2b(least, digest_size=8).digest(), "big") % (TOPICS - 1)


def asker(user_id: UUID, moment: datetime) -> int:
    """A number for a person on one day; without the key nobody finds out whose it is."""
    found = keyed_digest(f"{user_id} {moment:%Y-%m-%d}", "monitoring askers")
    return int.from_bytes(found[:4], "big") >> 1


def declines(answer: str) -> bool:
    """Whether the model itself seems to say no."""
    return DECLINES.search(answer[:BEGINNING].replace("\u2019", "'")) is not None
