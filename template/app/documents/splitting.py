"""Passages: what is found and quoted. Whole blocks where they fit, sentences where they do not."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.documents.reading.content import Block

VERSION = 1
SENTENCE_END = re.compile(r"(?<=[.!?:;])\s+|(?<=[。！？])|\n")
MOST_PASSAGES = 20_000


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    heading: str
    page: int | None


def split(blocks: list[Block], most: int) -> list[Piece]:
    """Blocks under one heading are put together up to `most` characters, and cut above."""
    pieces: list[Piece] = []
    waiting: list[Block] = []
    size = 0
    for block in _fitting(blocks, most):
        starts_anew = bool(waiting) and (
            size + len(block.text) > most
            or block.heading != waiting[0].heading
            # Pages may run together, so that a sentence across two stays one passage.
            or (block.page or 0) > (waiting[0].page or 0) + 1
        )
        if starts_anew:
            pieces.append(_together(waiting))
            waiting, size = [], 0
        waiting.append(block)
        size += len(block.text) + 1
    if waiting:
        pieces.append(_together(waiting))
    return pieces[:MOST_PASSAGES]


def _together(blocks: list[Block]) -> Piece:
    return Piece("\n".join(one.text for one in blocks), blocks[0].heading, blocks[0].page)


def _fitting(blocks: list[Block], most: int) -> Iterator[Block]:
    for block in blocks:
        if len(block.text) <= most:
            yield block
            continue
        waiting = ""
        for sentence in SENTENCE_END.split(block.text):
            for part in _cut(sentence.strip(), most):
                if waiting and len(waiting) + len(part) + 1 > most:
                    yield Block(waiting, block.heading, block.page)
                    waiting = ""
                waiting = f"{waiting} {part}".strip()
        if waiting:
            yield Block(waiting, block.heading, block.page)


def _cut(sentence: str, most: int) -> Iterator[str]:
    """A sentence that is too long is cut between words, a word that is, anywhere."""
    while len(sentence) > most:
        at = sentence.rfind(" ", 1, most)
        at = at if at > most // 2 else most
        yield sentence[:at].strip()
        sentence = sentence[at:].strip()
    if sentence:
        yield sentence
