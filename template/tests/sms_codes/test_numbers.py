import pytest

from app.core.settings import UnsafeSettings, refuse_unsafe
from app.sms_codes.numbers import UnusableNumber, parse
from app.sms_codes.settings import SmsSettings
from tests.sms_codes.conftest import SECRET


@pytest.mark.parametrize(
    ("typed", "e164", "country", "masked"),
    [
        ("+4915123456789", "+4915123456789", "DE", "+49 ••• 89"),
        (" +49 (0)1512 345-6789 ", "+4915123456789", "DE", "+49 ••• 89"),
        ("+1 202 555 0123", "+12025550123", "US", "+1 ••• 23"),
        ("+43 664 123456", "+43664123456", "AT", "+43 ••• 56"),
        ("\uff0b4915123456789", "+4915123456789", "DE", "+49 ••• 89"),
    ],
)
def test_a_number_is_read_in_the_ways_that_people_write_it(typed, e164, country, masked):
    number = parse(typed)
    assert (number.e164, number.country, number.masked) == (e164, country, masked)
    assert e164 not in repr(number)


def test_without_a_plus_it_is_of_the_country_that_is_set(configure):
    with pytest.raises(UnusableNumber, match="country code"):
        parse("01512 3456789")
    configure(SMS_DEFAULT_COUNTRY="DE")
    assert parse("01512 3456789").e164 == "+4915123456789"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "country code"),
        ("hello", "country code"),
        ("+49", "country code"),
        ("+4912", "no such number"),
        ("+999123456789", "country code"),
        ("+49 30 123456", "not the number of a mobile"),  # at home in Berlin
        ("+49 900 1234567", "not the number of a mobile"),  # premium
        ("+49 800 1234567", "not the number of a mobile"),  # toll free
        ("+44 70 1234 5678", "not the number of a mobile"),  # personal, dear
        ("+44 56 1234 5678", "not the number of a mobile"),  # over the internet
        ("+883 510 012345", "mobile"),  # international networks
        ("+4915123456789 ext. 7", "not the number of a mobile"),
        ("+" + "9" * 400, "country code|no such number"),
    ],
)
def test_what_is_no_mobile_number_is_refused(typed, words):
    with pytest.raises(UnusableNumber, match=words) as told:
        parse(typed)
    assert told.value.errors == {"number": told.value.detail}


def test_countries_that_are_not_named_are_refused(configure):
    configure(SMS_COUNTRIES='["DE", "AT"]')
    parse("+4915123456789")
    with pytest.raises(UnusableNumber, match="this country"):
        parse("+1 202 555 0123")
    configure(SMS_COUNTRIES='["*"]')
    parse("+1 202 555 0123")


PRODUCTION = {
    "APP_ENV": "production",
    "SMS_SENDER": "webhook",
    "SMS_WEBHOOK_URL": "https://texts.example.com",
    "SMS_WEBHOOK_SECRET": SECRET,
    "SMS_COUNTRIES": '["DE"]',
}


def test_production_starts_with_a_sender_and_named_countries(configure):
    configure(**PRODUCTION)
    assert SmsSettings.load().production_problems() == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"SMS_SENDER": "stand_in"}, "the stand-in is for laptops"),
        ({"SMS_COUNTRIES": "[]"}, "SMS_COUNTRIES must name"),
        ({"SMS_WEBHOOK_URL": ""}, "SMS_WEBHOOK_URL must be set"),
        ({"SMS_WEBHOOK_URL": "http://texts.example.com"}, "SMS_WEBHOOK_URL must start with https"),
        ({"SMS_WEBHOOK_SECRET": "short"}, "at least 32"),
        ({"SMS_SENDER": "twilio"}, "SMS_TWILIO_ACCOUNT must be set"),
        ({"SMS_SENDER": "sns", "SMS_SNS_REGION": "eu-west-1"}, "SMS_SNS_ACCESS_KEY must be set"),
    ],
)
def test_production_refuses_to_start(configure, changed, words):
    configure(**PRODUCTION | changed)
    with pytest.raises(UnsafeSettings, match=words):
        refuse_unsafe()


@pytest.mark.parametrize("countries", ['["Germany"]', '["de"]', '["DE", ""]'])
def test_a_country_is_named_by_its_code(configure, countries):
    configure(SMS_COUNTRIES=countries)
    with pytest.raises(ValueError, match="write country codes"):
        SmsSettings.load()
