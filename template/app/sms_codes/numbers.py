"""Phone numbers: read what was typed, and show as little of it as will do."""

from dataclasses import dataclass, field

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from app.core.crypto import keyed_digest
from app.core.errors import Invalid
from app.sms_codes.settings import SmsSettings

# Text messages to other kinds fail, or cost what the owner of the number likes.
MOBILE = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}


class UnusableNumber(Invalid):
    def __init__(self, detail: str) -> None:
        super().__init__(detail, errors={"number": detail})


@dataclass(frozen=True)
class Number:
    """A mobile number in the international form, such as +4915123456789."""

    e164: str = field(repr=False)
    country: str

    @property
    def masked(self) -> str:
        """`+49 ••• 89`: enough for its owner."""
        code = phonenumbers.parse(self.e164).country_code
        return f"+{code} ••• {self.e164[-2:]}"

    @property
    def digest(self) -> bytes:
        """The same for the same number; tells nothing of it without our key."""
        return keyed_digest(self.e164, "phone number")


def parse(text: str) -> Number:
    """A mobile number of a country that we send to. Raises `UnusableNumber`.

    The refusals follow from the number alone, and never tell whether we know it.
    """
    settings = SmsSettings.load()
    try:
        found = phonenumbers.parse(text, settings.default_country or None)
    except NumberParseException as error:
        example = "Write the number with its country code, like +49 1512 3456789."
        raise UnusableNumber(example) from error
    country = phonenumbers.region_code_for_number(found)
    if country is None or not phonenumbers.is_valid_number(found):
        raise UnusableNumber("There is no such number; check its digits and country code.")
    if phonenumbers.number_type(found) not in MOBILE or found.extension:
        raise UnusableNumber("This is not the number of a mobile phone.")
    if not settings.serves(country):
        raise UnusableNumber("We do not send text messages to this country.")
    return Number(phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164), country)


def known(e164: str) -> Number:
    """A number that was accepted once."""
    country = phonenumbers.region_code_for_number(phonenumbers.parse(e164))
    return Number(e164, country or "")
