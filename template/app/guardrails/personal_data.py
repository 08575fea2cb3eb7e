"""Personal data in a text by its form: what a pattern and a checksum can tell, and no names.

E-mail addresses, phone, card and account numbers, network addresses, and national numbers of the
United States, the United Kingdom, France, Spain and Italy.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import phonenumbers
from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    PhoneNumberType,
    is_possible_number,
    is_valid_number,
)

from app.guardrails.output.personal_numbers import account_numbers, card_numbers, luhn

EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][\w.+'-]{0,63}@(?:[A-Za-z0-9](?:[\w-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}\b"
)
# Digits in groups, as people write them; not a date, a version, a sum or part of an identifier.
PHONE = re.compile(
    r"(?<![\w.,:/#$€£@={|-])(?:\+|\(\+?\d{1,5}\)|00|\d)[\d ().\-/]{5,22}\d"
    r"(?:\s?(?:x|ext\.?)\s?\d{1,5})?(?![\w@%€$£}]|[.,:/-]\d)"
)
NO_PHONE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}\b|\d{1,3}(?:\.\d{1,3}){3}"
    r"|(?:19|20)\d\d ?[-/] ?(?:19|20)\d\d|10\.\d{4}|(?:\d[ ,]){5}|[1-9]\d*/\d+$|000"
)
NORTH_AMERICAN = re.compile(r"(?:1[-. ])?\(?[2-9]\d\d\)?[-. ]\s?[2-9]\d\d[-. ]\d{4}(?!\d)")
SEPARATED = re.compile(r"\d[ ().\-/]+\d")
FEWEST_DIGITS = 9
MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
# Also of kinds that are no longer printed, since a number that is masked comes back in the answer.
OLD_CARD = re.compile(
    r"(?<![\w.,/#-])(?:4\d{12}|(?:2131|1800)\d{11}|(?:50|5[6-9]|6[0-9])\d{10})(?![\w]|[.,]\d)"
)
IP = re.compile(r"(?<![\w.:])(?:\d{1,3}\.){3}\d{1,3}(?![\w:]|\.\d)")
IP6 = re.compile(r"(?<![\w.:])(?:[0-9A-Fa-f]{1,4}:){2,7}(?::?[0-9A-Fa-f]{1,4}){0,7}(?![\w:])")
US_NUMBER = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?![\w-])")
UK_NUMBER = re.compile(
    r"(?<!\w)(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?: ?\d\d){3} ?[A-D](?!\w)"
)
FRENCH_NUMBER = re.compile(
    r"(?<!\d)([12] ?\d\d ?(?:0[1-9]|1[0-2]) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3}) ?(\d\d)(?!\d)"
)
SPANISH_NUMBER = re.compile(r"(?<![\w-])([XYZ]?\d{7,8})-?([A-Z])(?![\w-])")
SPANISH_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
ITALIAN_NUMBER = re.compile(r"(?<!\w)[A-Z]{6}\d\d[A-EHLMPR-T]\d\d[A-Z]\d{3}[A-Z](?!\w)")
MAY_HOLD_SOME = re.compile(r"@|\d\D{0,4}\d\D{0,4}\d\D{0,4}\d|::")


class Found(NamedTuple):
    start: int
    end: int
    kind: str


def personal_data(text: str, countries: tuple[str, ...]) -> list[Found]:
    """Without overlaps, in order. National phone numbers are tried as numbers of `countries`."""
    if not MAY_HOLD_SOME.search(text):
        return []
    chosen: list[Found] = []
    # What has a checksum comes first: it knows better what its digits are.
    for one in _all(text, countries):
        if all(one.end <= other.start or one.start >= other.end for other in chosen):
            chosen.append(one)
    return sorted(chosen)


def _all(text: str, countries: tuple[str, ...]) -> Iterator[Found]:
    for found in EMAIL.finditer(text):
        yield Found(found.start(), found.end(), "email")
    for start, end in account_numbers(text):
        yield Found(start, end, "account")
    for start, end in card_numbers(text):
        yield Found(start, end, "card")
    for found in OLD_CARD.finditer(text):
        if luhn(found[0]):
            yield Found(found.start(), found.end(), "card")
    yield from _national(text)
    yield from _addresses(text)
    yield from _phones(text, countries)


def _national(text: str) -> Iterator[Found]:
    for pattern in (US_NUMBER, UK_NUMBER, ITALIAN_NUMBER):
        for found in pattern.finditer(text):
            yield Found(found.start(), found.end(), "national")
    for found in FRENCH_NUMBER.finditer(text):
        digits = found[1].replace(" ", "").replace("2A", "19").replace("2B", "18")
        if 97 - int(digits) % 97 == int(found[2]):
            yield Found(found.start(), found.end(), "national")
    for found in SPANISH_NUMBER.finditer(text):
        number = int(found[1].translate(str.maketrans("XYZ", "012")))
        if SPANISH_LETTERS[number % 23] == found[2]:
            yield Found(found.start(), found.end(), "national")


def _addresses(text: str) -> Iterator[Found]:
    for pattern in (IP, IP6):
        for found in pattern.finditer(text):
            try:
                address = ipaddress.ip_address(found[0])
            except ValueError:
                continue
            # Of this machine or of every network: of no person.
            if not (address.is_loopback or address.is_unspecified):
                yield Found(found.start(), found.end(), "address")


def _phones(text: str, countries: tuple[str, ...]) -> Iterator[Found]:
    for found in PHONE.finditer(text):
        said = found[0]
        if NO_PHONE.match(said) or sum(c.isdigit() for c in said) < FEWEST_DIGITS:
            continue
        if said.startswith(("+", "00")):
            said = "+" + said.removeprefix("00").lstrip("+").replace("(0)", "")
            is_phone = _is_phone(said, None, is_possible_number)
        elif "US" in countries and NORTH_AMERICAN.match(said):
            is_phone = True
        elif SEPARATED.search(said) or said.startswith("0"):
            is_phone = any(_is_phone(said, one, is_valid_number) for one in _of(said, countries))
        else:
            # Digits alone may be anything, and are a phone number when they are a mobile's.
            is_phone = any(_is_phone(said, one, _is_mobile) for one in _of(said, countries))
        if is_phone:
            yield Found(found.start(), found.end(), "phone")


def _of(said: str, countries: tuple[str, ...]) -> Iterator[str]:
    """The countries where people write a number so: most put a 0 before it, some nothing."""
    for country in countries:
        zero = phonenumbers.ndd_prefix_for_region(country, True) == "0"
        if not zero or said.startswith(("0", "(0")):
            yield country


def _is_phone(said: str, country: str | None, holds: Callable[[PhoneNumber], bool]) -> bool:
    try:
        return holds(phonenumbers.parse(said, country))
    except NumberParseException:
        return False


def _is_mobile(number: PhoneNumber) -> bool:
    return phonenumbers.number_type(number) in MOBILE
