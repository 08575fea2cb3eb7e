"""Characters that steer a terminal or hide text are taken out of an answer."""

import re

from app.guardrails.verdicts import AnswerContext, Finding

VERSION = 1

# Without its first character an escape sequence is plain text. Line ends and tabs stay.
CONTROL = re.compile(
    "[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\u200b\u2060-\u2064\u202a-\u202e\u2066-\u2069\ufeff"
    "\U000e0000-\U000e007f]"
)


def open_screen(_: AnswerContext) -> "ControlScreen":
    return ControlScreen()


class ControlScreen:
    def __init__(self) -> None:
        self._offset = 0

    def feed(self, text: str, *, last: bool) -> tuple[int, list[Finding]]:
        start = self._offset
        self._offset += len(text)
        if text.isascii() and text.isprintable():
            return 0, []
        return 0, [
            Finding(start + found.start(), start + found.end(), "control character", "")
            for found in CONTROL.finditer(text)
        ]
