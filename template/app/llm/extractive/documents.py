"""The project's documents as sentences, each with its place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
FENCE = re.compile(r"^\s*(```|~~~)")
ITEM = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")
TABLE_ROW = re.compile(r"^\s*\|(.+)\|\s*$")
TABLE_RULE = re.compile(r"^[\s|:-]+$")
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
MARKUP = re.compile(r"(\*\*|__|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)|<[^>]{1,80}>)")
# A full stop ends a sentence when a capital follows; in "e.g. this" and "am 31. März" it does not.
MONTHS = "Jan|Feb|März|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez"
SENTENCE_END = re.compile(
    rf"(?<=[.!?:])(?<!\d\.(?=\s+(?:{MONTHS})))\s+(?=[A-ZÀ-ÖØ-Þ\"'“„«(`¿¡\d])|(?<=[。！？])"
)
ABOVE = " › "
LARGEST_FILE = 1_000_000


@dataclass(frozen=True, slots=True)
class Sentence:
    text: str
    path: str
    heading: str
    """The headings above, the nearest last."""
    block: int
    """Which paragraph, item or table row of its document it stands in."""
    is_row: bool = False
    """It stands in a table."""


def files(root: Path) -> list[Path]:
    """README.md and all of docs/, in the order of their names."""
    found = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    return [path for path in found if path.is_file() and path.stat().st_size <= LARGEST_FILE]


def sentences(root: Path) -> Iterator[Sentence]:
    for path in files(root):
        text = path.read_text(encoding="utf-8", errors="replace")
        yield from _of_document(text, path.relative_to(root).as_posix())


def of_passage(text: str, path: str, heading: str) -> Iterator[Sentence]:
    """The sentences of a text that is no Markdown."""
    for number, block in enumerate(text.splitlines()):
        for sentence in SENTENCE_END.split(block):
            if any(character.isalpha() for character in sentence):
                yield Sentence(sentence.strip(), path, heading, number)


def _of_document(text: str, path: str) -> Iterator[Sentence]:
    for number, (heading, block, is_row) in enumerate(_blocks(text)):
        for sentence in SENTENCE_END.split(_readable(block)):
            if any(character.isalpha() for character in sentence):
                yield Sentence(sentence.strip(), path, heading, number, is_row)


def _blocks(text: str) -> Iterator[tuple[str, str, bool]]:
    """Paragraphs, items and table rows with the headings above them; code is left out.

    The third value tells rows from the others.
    """
    headings: dict[int, str] = {}
    lines: list[str] = []
    fenced = False

    def block(*, is_row: bool = False) -> Iterator[tuple[str, str, bool]]:
        if lines:
            yield ABOVE.join(headings.values()), " ".join(lines), is_row
            lines.clear()

    for line in text.splitlines():
        if FENCE.match(line):
            yield from block()
            fenced = not fenced
        elif fenced:
            continue
        elif found := HEADING.match(line):
            yield from block()
            level = len(found[1])
            headings = {one: name for one, name in headings.items() if one < level}
            headings[level] = _readable(found[2])
        elif not line.strip() or TABLE_RULE.match(line):
            yield from block()
        elif row := TABLE_ROW.match(line):
            yield from block()
            cells = [cell.strip() for cell in row[1].split("|")]
            lines.append(" — ".join(cell for cell in cells if cell))
            yield from block(is_row=True)
        else:
            if ITEM.match(line):
                yield from block()
                line = ITEM.sub("", line, count=1)
            lines.append(line.strip())
    yield from block()


def _readable(text: str) -> str:
    return MARKUP.sub("", LINK.sub(r"\1", text)).strip()
