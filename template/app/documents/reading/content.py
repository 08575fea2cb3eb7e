"""What a file turns out to be, and what reading it gives."""

from dataclasses import asdict, dataclass, field
from typing import Any

# What reading may refuse, as people are told it.
REASONS = {
    "empty": "The file is empty.",
    "not_accepted": (
        "Only PDF, Word (.docx), HTML, Markdown, CSV and plain text can be read, and pictures"
        " (PNG, JPEG) where text recognition is on."
    ),
    "another_kind": "What is in the file is not what its name says.",
    "polyglot": "The file is two kinds of file at once.",
    "damaged": "The file is damaged or cut off.",
    "encrypted": "The file is locked with a password. Save it without one.",
    "active_content": "The file holds scripts or actions that run by themselves. Save it without.",
    "embedded_files": "Other files are packed into this one. Save it without them.",
    "macros": "The file holds macros. Save it as a document without macros.",
    "external_content": "The file loads parts of itself from elsewhere. Save it with all it needs.",
    "unpacks_too_large": "Unpacked, the file is far larger than it looks.",
    "xml_entities": "The file defines XML entities, which no ordinary document does.",
    "took_too_long": "Reading the file took too long. Split it into smaller ones.",
    "took_too_much_memory": "Reading the file took too much memory. Split it into smaller ones.",
    "too_much_text": "The file holds more text than is taken in one. Split it into smaller ones.",
    "no_text": "There is no text in it. Scanned pages need text recognition first.",
    "too_many_scans": "Too many of its pages are scanned. Split the file into smaller ones.",
    "too_many_dots": "The picture is far larger than a page needs. Save it smaller.",
    "unknown_encoding": "The text is in no encoding that we can tell. Save it as UTF-8.",
}
MOST_CHARACTERS = 5_000_000


class Refused(Exception):
    """The file is not taken; the reason is a name in REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Block:
    """A paragraph, an item or a row, with the heading above it and its page."""

    text: str
    heading: str = ""
    page: int | None = None


@dataclass(slots=True)
class Content:
    blocks: list[Block]
    notes: dict[str, Any] = field(default_factory=dict)
    """What was read, in numbers: `pages`, `rows`, `columns`, `left_out` and the like."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def limited(blocks: list[Block]) -> list[Block]:
    """Raise `Refused` when there is no text, or far too much."""
    total = sum(len(one.text) for one in blocks)
    if total > MOST_CHARACTERS:
        raise Refused("too_much_text")
    if not any(one.text.strip() for one in blocks):
        raise Refused("no_text")
    return blocks


def paragraphs(text: str) -> list[str]:
    """Lines are as wide as the page: those of a paragraph are put together again."""
    found: list[str] = [""]
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped:
            found.append("")
        elif found[-1].endswith("-") and stripped[:1].islower():
            found[-1] = found[-1][:-1] + stripped
        else:
            found[-1] = f"{found[-1]} {stripped}".strip()
    return [one for one in found if one]
