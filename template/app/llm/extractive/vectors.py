"""Vectors without a model, for laptops: texts that share words, or parts of words, are near.

Words and pieces of four letters are hashed to places and signs (feature hashing). It finds what is
said in similar words, also misspelt or with another ending, and knows nothing of meaning.
"""

import math
from collections import Counter
from collections.abc import Sequence
from zlib import crc32

from app.llm.extractive.words import terms

MODEL = "hashed-words-2"
DIMENSIONS = 1024
LETTERS = 4
PIECE_WEIGHT = 0.35


def vectors(texts: Sequence[str]) -> list[list[float]]:
    return [_vector(text) for text in texts]


def _vector(text: str) -> list[float]:
    numbers = [0.0] * DIMENSIONS
    words = Counter(terms(text))
    for word, count in words.items():
        weight = 1 + math.log(count)
        _add(numbers, word, weight)
        padded = f"^{word}$"
        pieces = [padded[at : at + LETTERS] for at in range(max(1, len(padded) - LETTERS + 1))]
        for piece in pieces:
            _add(numbers, f"\0{piece}", weight * PIECE_WEIGHT / math.sqrt(len(pieces)))
    if not words:
        numbers[0] = 1.0  # a text of stop words has a direction, too
    return numbers


def _add(numbers: list[float], feature: str, weight: float) -> None:
    hashed = crc32(feature.encode("utf-8", "surrogatepass"))
    numbers[hashed % DIMENSIONS] += weight if hashed & 0x8000_0000 else -weight
