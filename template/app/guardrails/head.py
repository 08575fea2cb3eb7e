"""The heads of the learned detector: how much its view of a window and the window's letters speak
for an attack.

scripts/guards/train.py writes head.json. One head judges what people type, the other documents and
tool results, where every order is suspect. Each kind of text has a limit of its own. A gate tells
from the tokens of a short question alone whether its view needs to be looked at.
"""

import json
import math
import re
from base64 import b64decode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from operator import mul
from pathlib import Path
from struct import unpack
from typing import Any
from zlib import crc32, decompress

FILE = Path(__file__).parent / "head.json"
BUCKETS = 16_384
PIECES = (3, 4, 5)
"""Letters in a row that are looked at together."""
WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Head:
    bias: float
    vector: Sequence[float]
    pieces: memoryview
    scale: float
    most: float
    """No view of any text that it was made with speaks as much for an attack."""

    def of_letters(self, text: str) -> float:
        found = buckets(text)
        said = sum(map(self.pieces.__getitem__, found))
        return self.bias + self.scale * said / math.sqrt(max(1, len(found)))

    def of_view(self, vector: Sequence[float]) -> float:
        if len(vector) != len(self.vector):
            raise ValueError("The head was trained on another view.")
        known: float = sum(map(mul, self.vector, vector))
        return known


@dataclass(frozen=True, slots=True)
class Gate:
    bias: float
    tokens: bytes
    """No token speaks against an attack: else harmless words behind one would hide it."""
    scale: float

    def at_most(self, ids: Iterable[int]) -> float:
        """As much as a view of these tokens may speak for an attack: a guess and some doubt."""
        found = set(ids)
        said = sum(map(self.tokens.__getitem__, found))
        return self.bias + self.scale * said / math.sqrt(max(1, len(found)))


@cache
def gate(limit: str) -> Gate | None:
    """Of this kind of text, if it has one."""
    told = _file()["gates"].get(limit)
    return told and Gate(told["bias"], decompress(b64decode(told["tokens"])), told["scale"])


@cache
def head(name: str) -> Head:
    told = _file()["heads"][name]
    vector = b64decode(told["vector"])
    return Head(
        told["bias"],
        unpack(f"<{len(vector) // 4}f", vector),
        memoryview(b64decode(told["pieces"])).cast("b"),
        told["scale"],
        told.get("most", math.inf),
    )


@cache
def limits() -> dict[str, float]:
    """From which rate on a text of this kind is refused."""
    found: dict[str, float] = _file()["limits"]
    return found


def buckets(text: str) -> set[int]:
    """The places of a text's pieces."""
    said = f" {' '.join(WORD.findall(text.casefold()))} ".encode()
    return {
        crc32(said[at : at + size]) % BUCKETS
        for size in PIECES
        for at in range(len(said) - size + 1)
    }


def _file() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return told
