"""Takes out of a text what says who someone is, as far as a form or a name in the directory tells.

What a form cannot tell stays: whoever saves the case reads it first.
"""

import re
import unicodedata
from collections.abc import Sequence

from app.guardrails.output.secrets import secrets_in
from app.guardrails.personal_data import personal_data
from app.guardrails.settings import GuardrailsSettings

SHORTEST_NAME = 3
# Thai, Lao, Burmese, Khmer, kana, ideographs, and Hangul with its particles: no blank says where a
# name ends, and two letters are one.
DENSE = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
    "\U00020000-\U0003ffff]"
)


class Deidentifier:
    """The same data has the same placeholder in all texts that one of these reads."""

    def __init__(self, names: Sequence[str], own_name: str) -> None:
        """`names` are taken out whole; of `own_name`, who asked, also each of its words."""
        parts = [*names, own_name, *own_name.split()]
        known = {_composed(one) for one in parts}
        whole = [_pattern(one) for one in sorted(known, key=len, reverse=True) if _is_name(one)]
        self._names = re.compile("|".join(whole), re.IGNORECASE) if whole else None
        self._placeholders: dict[str, str] = {}

    @property
    def kinds(self) -> list[str]:
        """What was taken out, without what it was."""
        return sorted({one.strip("[]").rpartition("_")[0] for one in self._placeholders.values()})

    def read(self, text: str) -> str:
        text = _composed(text)
        countries = GuardrailsSettings.load().phone_countries
        found = [(one.start, one.end, one.kind) for one in personal_data(text, countries)]
        found += [(start, end, "secret") for start, end, _ in secrets_in(text)]
        if self._names:
            found += [(*one.span(), "person") for one in self._names.finditer(text)]
        parts, at = [], 0
        for start, end, kind in sorted(found, key=lambda one: (one[0], -one[1])):
            if start < at:
                continue
            parts += [text[at:start], self._placeholder(text[start:end], kind)]
            at = end
        return "".join([*parts, text[at:]])

    def _placeholder(self, said: str, kind: str) -> str:
        key = said.casefold()
        if key not in self._placeholders:
            kind = kind.upper()
            taken = self._placeholders.values()
            number = 1 + sum(one.startswith(f"[{kind}_") for one in taken)
            self._placeholders[key] = f"[{kind}_{number}]"
        return self._placeholders[key]


def _composed(text: str) -> str:
    """One letter for what may be written as a letter and its accent."""
    return unicodedata.normalize("NFC", text)


def _is_name(text: str) -> bool:
    return len(text) >= (2 if DENSE.match(text) else SHORTEST_NAME)


def _pattern(name: str) -> str:
    before = "" if DENSE.match(name[0]) else r"(?<!\w)"
    after = "" if DENSE.match(name[-1]) else r"(?!\w)"
    return f"{before}{re.escape(name)}{after}"
