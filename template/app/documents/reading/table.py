"""CSV: a header and rows of its length. Each row becomes a text that says what its values are."""

import csv
import re
from datetime import date, datetime
from typing import Any

from app.documents.reading.content import Block, Content, Refused
from app.documents.reading.text import decoded

DELIMITERS = ",;\t|"
MOST_ROWS = 100_000
MOST_COLUMNS = 500
NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:[ ',.]\d{3})+|\d+)(?:[.,]\d+)?%?")
WORDS = {"yes", "no", "true", "false", "ja", "nein"}
# A column is of a kind when nearly all of its values are.
NEARLY_ALL = 0.9


def read(data: bytes) -> Content:
    text = decoded(data)
    if not text.strip():
        raise Refused("empty")
    csv.field_size_limit(1_000_000)
    first = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    try:
        rows = [
            row
            for row in csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
            if any(cell.strip() for cell in row)
        ]
    except csv.Error as error:
        raise Refused("damaged") from error
    if len(rows) > MOST_ROWS or len(rows[0]) > MOST_COLUMNS:
        raise Refused("too_much_text")
    header = [" ".join(cell.split())[:100] for cell in rows[0]]
    # One column with rows is a list; a header without rows, or rows of odd lengths, are no table.
    if not all(header) or len({one.casefold() for one in header}) < len(header) or len(rows) < 2:
        raise Refused("damaged")
    if any(len(row) != len(header) for row in rows[1:]):
        raise Refused("damaged")
    columns = [
        _column(name, [row[at].strip() for row in rows[1:]]) for at, name in enumerate(header)
    ]
    blocks = [Block(_said(header, row)) for row in rows[1:]]
    return Content(blocks, {"rows": len(rows) - 1, "columns": columns})


def _said(header: list[str], row: list[str]) -> str:
    cells = [(name, value.strip()) for name, value in zip(header, row, strict=True)]
    return "; ".join(f"{name}: {value}" for name, value in cells if value)


def _column(name: str, values: list[str]) -> dict[str, Any]:
    filled = [one for one in values if one]
    kinds = [_kind(one) for one in filled]
    common = max(sorted(set(kinds)), key=kinds.count, default="text")
    if not filled or kinds.count(common) < NEARLY_ALL * len(kinds):
        common = "text" if filled else "empty"
    fitting = len(kinds) if common == "text" else kinds.count(common)
    return {"name": name, "kind": common, "filled": len(filled), "fitting": fitting}


def _kind(value: str) -> str:
    if NUMBER.fullmatch(value):
        return "number"
    if value.casefold() in WORDS:
        return "yes or no"
    for form in ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y"):
        try:
            datetime.strptime(value, form)  # noqa: DTZ007 only whether it is a date
        except ValueError:
            continue
        return "date"
    try:
        date.fromisoformat(value[:10])
    except ValueError:
        return "text"
    return "date"
