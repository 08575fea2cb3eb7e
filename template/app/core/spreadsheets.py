"""Cells of files that people open with a spreadsheet."""

import re

# What begins with one of these is computed, after blanks, too, and with the signs of full width.
# Which sign ends a cell is up to the country of whoever opens the file.
FORMULA = re.compile(r"(^|[;\t|])(?=\s*[=+\-@＝＋－＠\t\r\n])")


def as_text(text: str) -> str:
    """So that a spreadsheet shows it and never computes it."""
    return FORMULA.sub(r"\1'", text)
