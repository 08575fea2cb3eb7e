"""Card and account numbers in an answer are masked when their checksums hold."""

import re
from collections.abc import Iterator
from string import ascii_uppercase

from app.guardrails.verdicts import AnswerContext, Finding

VERSION = 1

# 4-4-4-4, 4-6-5, 4-6-4 or unbroken, as numbers are printed; not after what makes it an id.
CARD = re.compile(
    r"(?<![\w@#./-])(?:\d{14,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}|\d{4}([ -])\d{6}\2\d{4,5})(?!\w)",
    re.ASCII,
)
CARD_UNFINISHED = re.compile(
    r"(?<![\w@#./-])(?:\d{1,19}"
    r"|\d{4}([ -])(?:\d{0,4}|\d{4}\1(?:\d{0,4}|\d{4}\1\d{0,4}))"
    r"|\d{4}([ -])(?:\d{0,6}|\d{6}\2\d{0,5}))$",
    re.ASCII,
)
# First digits: Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay, Maestro.
ISSUERS = re.compile(
    r"(?:4\d{15}|4\d{18}|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}"
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12}|35\d{14}|62\d{14,17}|(?:50|5[6-9]|6[0-9])\d{12,17})"
)
COUNTRIES = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28,
    "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23,
    "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
    "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20,
    "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30,
    "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22,
    "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28,
    "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?= ?[A-Z0-9])", re.ASCII)
IBAN_REST = {
    size: re.compile(rf"(?: ?[A-Z0-9]){{{size - 4}}}(?![A-Za-z0-9])", re.ASCII)
    for size in set(COUNTRIES.values())
}
IBAN_UNFINISHED = re.compile(
    r"(?<![A-Za-z0-9])(?:[A-Z]|[A-Z]{2}(?:\d|\d{2}(?: ?[A-Z0-9]){0,30} ?)?)$", re.ASCII
)
CARD_CHARACTERS = "0123456789 -\n"
IBAN_CHARACTERS = "0123456789 \n" + ascii_uppercase
# Nothing that is still being written is longer than this, blanks included.
LONGEST = 44
# And none is shorter, without blanks.
SHORTEST = 14
MAY_GO_ON = re.compile(r"[0-9A-Z][ -]?$")
DIGIT = re.compile(r"\d", re.ASCII)


def open_screen(_: AnswerContext) -> "NumberScreen":
    return NumberScreen()


class NumberScreen:
    def __init__(self) -> None:
        self._before = ""
        self._rest = ""
        self._offset = 0

    def feed(self, text: str, *, last: bool) -> tuple[int, list[Finding]]:
        view = self._before + self._rest + text
        at, skip = len(self._before), self._offset - len(self._before)
        waiting = len(view) if last else _unfinished(view, at)
        findings = []
        if waiting - at >= SHORTEST and DIGIT.search(view, at):
            findings = [
                Finding(skip + start, skip + end, kind, f"[{kind} removed]")
                for start, end, kind in (*_cards(view, at, waiting), *_ibans(view, at, waiting))
            ]
        self._before = view[max(0, waiting - 1) : waiting]
        self._rest = view[waiting:]
        self._offset = skip + waiting
        return len(self._rest), findings


def _unfinished(view: str, at: int) -> int:
    """Where a number begins that the next piece may go on with."""
    if not MAY_GO_ON.search(view, max(at, len(view) - 2)):
        return len(view)
    start = max(at, len(view) - LONGEST)
    # It stands at the end and has no other characters.
    card = CARD_UNFINISHED.search(view, max(start, len(view.rstrip(CARD_CHARACTERS))))
    iban = IBAN_UNFINISHED.search(view, max(start, len(view.rstrip(IBAN_CHARACTERS))))
    return min((one.start() for one in (card, iban) if one), default=len(view))


def _cards(view: str, at: int, end: int) -> Iterator[tuple[int, int, str]]:
    for found in CARD.finditer(view, at, end):
        digits = found[0].replace(" ", "").replace("-", "")
        if ISSUERS.fullmatch(digits) and luhn(digits):
            yield found.start(), found.end(), "card number"


def _ibans(view: str, at: int, end: int) -> Iterator[tuple[int, int, str]]:
    for found in IBAN.finditer(view, at, end):
        size = COUNTRIES.get(found[0][:2])
        rest = IBAN_REST[size].match(view, found.end(), end) if size else None
        if rest and _mod_97(rest[0].replace(" ", "") + found[0]) == 1:
            yield found.start(), rest.end(), "account number"


def card_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Where in a whole text they stand."""
    return ((start, end) for start, end, _ in _cards(text, 0, len(text)))


def account_numbers(text: str) -> Iterator[tuple[int, int]]:
    return ((start, end) for start, end, _ in _ibans(text, 0, len(text)))


def _mod_97(moved: str) -> int:
    return int("".join(str(int(character, 36)) for character in moved)) % 97


def luhn(digits: str) -> bool:
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, odd)) + sum(sum(divmod(2 * int(d), 10)) for d in even)) % 10 == 0
