"""What is done to a text before anything else sees it, and what it is refused for."""

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any

from app.documents.reading.content import Block, Content, Refused
from app.documents.settings import DocumentsSettings
from app.guardrails.output.personal_numbers import open_screen
from app.guardrails.verdicts import AnswerContext

REASONS = {
    "too_little_text": "There is too little text in it to find anything by.",
    "unreadable_text": "Most of the text is no words, as after a bad text recognition.",
    "personal_data": "The document holds personal data, which the settings of this app refuse.",
    "duplicate": "The same content is here already.",
    "schema_changed": "The columns are not those of the version before.",
}
# Line ends and tabs stay; the rest of the control and format characters says nothing to a reader.
UNSEEN = {"Cc", "Cf", "Co", "Cs", "Cn"}
KEPT = {"\n", "\t", "\u200c", "\u200d"}  # joiners are letters' business in some scripts
WORD = re.compile(r"\S+")
LETTERS = re.compile(r"[^\W\d_]+")
NUMBERLIKE = re.compile(r"[\d.,:;/%€$£()+-]+")
VOWELS = re.compile(r"[aeiouyäöüáéíóúàèìòùâêîôûãõåæøœėęąıаеёиоуыэюяієї]", re.IGNORECASE)
FEWEST_WORDS = 30
MOST_JUNK = 0.5
SOME_JUNK = 0.25
MAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
PHONE = re.compile(r"(?<![\w.])\+\d{1,3}[ ()/.-]{0,2}(?:\d[ ()/.-]{0,2}){6,13}\d(?!\w)")


@dataclass(slots=True)
class Counts:
    """What was found and mended, in numbers."""

    repaired: int = 0
    characters_removed: int = 0
    personal_data: dict[str, int] = field(default_factory=dict)
    junk: float = 0.0


def checked(content: Content) -> tuple[list[Block], dict[str, Any]]:
    """The blocks, mended, and what to note. Raises `Refused`."""
    settings = DocumentsSettings.load()
    counts = Counts()
    blocks = []
    for block in content.blocks:
        text = _clean(block.text, counts)
        text = _without_personal_data(text, counts, settings.personal_data == "mask")
        if text.strip():
            blocks.append(Block(text, _clean(block.heading, counts), block.page))
    text = "\n".join(one.text for one in blocks)
    if sum(character.isalnum() for character in text) < settings.shortest_characters:
        raise Refused("too_little_text")
    counts.junk = junk(text)
    if counts.junk > MOST_JUNK:
        raise Refused("unreadable_text")
    if counts.personal_data and settings.personal_data == "refuse":
        raise Refused("personal_data")
    return blocks, _notes(content, counts, text, settings.personal_data)


def _notes(content: Content, counts: Counts, text: str, policy: str) -> dict[str, Any]:
    notes = content.notes | {
        "characters": len(text),
        "junk_percent": round(counts.junk * 100),
        "warnings": [],
    }
    warnings = notes["warnings"]
    if counts.repaired:
        warnings.append("encoding_repaired")
    if counts.characters_removed:
        warnings.append("characters_removed")
        notes["characters_removed"] = counts.characters_removed
    if counts.junk > SOME_JUNK:
        warnings.append("much_junk")
    if notes.get("pages_without_text"):
        warnings.append("pages_without_text")
    if notes.get("pages_recognised"):
        warnings.append("text_recognised")
    if notes.get("left_out"):
        warnings.append("hidden_text_left_out")
    if counts.personal_data:
        warnings.append("personal_data_masked" if policy == "mask" else "personal_data_kept")
        notes["personal_data"] = counts.personal_data
    return notes


WARNINGS = {
    "encoding_repaired": "Letters that an earlier program had mixed up were put right.",
    "characters_removed": "Characters that nobody sees were taken out.",
    "much_junk": "A good part of the text is no words; answers from it may be poor.",
    "pages_without_text": "Some pages have no text; they may be scanned.",
    "text_recognised": "Text of scanned pages was recognised; letters and numbers may be wrong.",
    "hidden_text_left_out": "Text that readers do not see was left out.",
    "personal_data_masked": "Personal data was masked before the text was kept.",
    "personal_data_kept": "The text holds personal data.",
}


def _clean(text: str, counts: Counts) -> str:
    """Without NUL, control and invisible characters, in one Unicode form, with mended letters."""
    if not text.isascii():
        # Imported where documents are read: most processes never do.
        import ftfy

        mended = ftfy.fix_encoding(text)
        if mended != text:
            counts.repaired += 1
            text = mended
        text = unicodedata.normalize("NFC", text)
    kept = "".join(
        one for one in text if one in KEPT or unicodedata.category(one) not in UNSEEN
    ) if not text.isprintable() else text  # fmt: skip
    counts.characters_removed += len(text) - len(kept)
    return kept


def junk(text: str) -> float:
    """The share of words that are none: what bad text recognition and binary data leave."""
    words = WORD.findall(text)[:20_000]
    if len(words) < FEWEST_WORDS:
        return 0.0
    return sum(not _is_word(one) for one in words) / len(words)


def _is_word(token: str) -> bool:
    if NUMBERLIKE.fullmatch(token):
        return True
    letters = "".join(LETTERS.findall(token))
    if len(letters) < 0.6 * len(token) or "\ufffd" in token:
        return False
    if not letters.isascii() and not VOWELS.search(letters):
        return True  # a script without vowels that we know
    return len(letters) < 4 or letters.isupper() or bool(VOWELS.search(letters))


def _without_personal_data(text: str, counts: Counts, masked: bool) -> str:
    found = [
        (one.start, one.end, one.reason)
        for one in open_screen(AnswerContext()).feed(text, last=True)[1]
    ]
    if "@" in text:
        found += [(*one.span(), "mail address") for one in MAIL.finditer(text)]
    if "+" in text:
        found += [(*one.span(), "phone number") for one in PHONE.finditer(text)]
    parts, at = [], 0
    for start, end, what in sorted(found):
        if start < at:
            continue
        counts.personal_data[what] = counts.personal_data.get(what, 0) + 1
        parts += [text[at:start], f"[{what} removed]"]
        at = end
    return "".join([*parts, text[at:]]) if masked and parts else text


def refuse_changed_columns(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> None:
    """Raise `Refused` when a column of the version before is gone, or holds something else."""
    kinds = {one["name"].casefold(): one["kind"] for one in now}
    for one in before:
        kind = kinds.get(one["name"].casefold())
        if kind is None or (kind != one["kind"] and "empty" not in {kind, one["kind"]}):
            raise Refused("schema_changed")
