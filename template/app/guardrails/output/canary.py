"""The canary in an answer ends it: a text that only the system prompt holds."""

import re

from app.guardrails.verdicts import AnswerContext, Finding

VERSION = 1


def open_screen(context: AnswerContext) -> "CanaryScreen | None":
    return CanaryScreen(context.canary.lower()) if context.canary else None


class CanaryScreen:
    def __init__(self, canary: str) -> None:
        self._canary = canary
        self._pattern = re.compile(re.escape(canary), re.IGNORECASE)
        self._rest = ""
        self._offset = 0

    def feed(self, text: str, *, last: bool) -> tuple[int, list[Finding]]:
        view, base = self._rest + text, self._offset - len(self._rest)
        self._offset += len(text)
        if found := self._pattern.search(view):
            return 0, [Finding(base + found.start(), base + found.end(), "canary")]
        self._rest = "" if last else self._unfinished(view)
        return len(self._rest), []

    def _unfinished(self, view: str) -> str:
        """The longest end of the view that the canary begins with."""
        end = view[1 - len(self._canary) :].lower()
        start = end.find(self._canary[0])
        while start >= 0:
            if self._canary.startswith(end[start:]):
                return view[start - len(end) :]
            start = end.find(self._canary[0], start + 1)
        return ""
