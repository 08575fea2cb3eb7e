"""The head of the learned detector: how much its vectors and a window's words speak for an attack.

scripts/guards/train.py writes head.json. Longer prompts, documents and tool results are judged by
it; the number of the detector itself, which knows short questions well, is taken there.
"""

import json
import math
import re
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from struct import unpack
from zlib import crc32

FILE = Path(__file__).parent / "head.json"
BUCKETS = 16_384
WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Head:
    bias: float
    vector: Sequence[float]
    words: bytes
    words_scale: float
    limits: dict[str, float]

    def rate(self, vector: Sequence[float], text: str) -> float:
        found = buckets(text)
        said = sum((self.words[one] ^ 0x80) - 0x80 for one in found)
        known = sum(weight * value for weight, value in zip(self.vector, vector, strict=True))
        return self.bias + known + self.words_scale * said / math.sqrt(max(1, len(found)))


@cache
def head() -> Head:
    told = json.loads(FILE.read_text(encoding="utf-8"))
    vector = b64decode(told["vector"])
    return Head(
        told["bias"],
        unpack(f"<{len(vector) // 4}f", vector),
        b64decode(told["words"]),
        told["words_scale"],
        told["limits"],
    )


def buckets(text: str) -> set[int]:
    """The places of a text's words and of its pairs of words."""
    words = WORD.findall(text.casefold())
    pairs = [f"{one} {other}" for one, other in pairwise(words)]
    return {crc32(word.encode()) % BUCKETS for word in [*words, *pairs]}
