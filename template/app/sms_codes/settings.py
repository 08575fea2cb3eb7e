from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from app.core.outside import Outside
from app.core.settings import ModuleSettings, answers

EVERYWHERE = "*"
PEOPLE = int(answers().get("users", {}).get("people_at_peak", 0))
# What a sender cannot do without.
NEEDS = {
    "stand_in": (),
    "twilio": ("twilio_account", "twilio_secret", "twilio_from"),
    "sns": ("sns_region", "sns_access_key", "sns_secret_key"),
    "webhook": ("webhook_url", "webhook_secret"),
}
SERVICES = {"twilio": "Twilio", "sns": "AWS SNS", "webhook": "A text service of yours"}
ADDRESSES = ("twilio_url", "sns_url", "webhook_url")
SHORTEST_SECRET = 32


class SmsSettings(ModuleSettings):
    """How text messages are sent, to which countries, and how many."""

    model_config = SettingsConfigDict(env_prefix="SMS_")

    sender: Literal["stand_in", "twilio", "sns", "webhook"] = "stand_in"
    """`stand_in` sends nothing: text messages are read at /dev/texts."""
    as_second_factor: bool = True
    """Whether a texted code may be a second factor; with HIPAA it never is."""
    countries: list[str] = Field([])
    """Whose numbers are accepted, such as `["DE", "AT"]`; `["*"]` is every country."""
    default_country: str = ""
    """Whose a number is that is typed without +, such as `DE`. Empty: the + is needed."""
    per_day: int = Field(max(200, PEOPLE * 3), ge=1)
    """Messages in one day (UTC), all together: what a fraud costs at most."""
    per_country_and_day: int = Field(max(200, PEOPLE * 3), ge=1)
    """Messages in one day (UTC) to one country."""
    accounts_per_number: int = Field(3, ge=1)
    """On how many accounts one number may be."""
    timeout: float = Field(10, gt=0)
    """Seconds that the service which sends may take."""
    keep_days: int = Field(30, ge=1)
    """How long a note of each message is kept: when and to which country, of sent ones no more."""
    twilio_account: str = ""
    """The account's SID, `AC...`."""
    twilio_key: str = ""
    """The SID of an API key, `SK...`. Empty: the secret is the account's own token."""
    twilio_secret: SecretStr = SecretStr("")
    """The secret of the key, or the account's token."""
    twilio_from: str = ""
    """The number that sends, or the SID of a messaging service, `MG...`."""
    twilio_url: str = "https://api.twilio.com"
    """Where Twilio answers."""
    sns_region: str = ""
    """The AWS region that sends, such as `eu-central-1`."""
    sns_access_key: str = ""
    """An access key that may `sns:Publish`."""
    sns_secret_key: SecretStr = SecretStr("")
    """Goes with the access key."""
    sns_session_token: SecretStr = SecretStr("")
    """Goes with a temporary access key."""
    sns_sender_id: str = ""
    """What the phone shows as sender, in countries that allow it."""
    sns_url: str = ""
    """Where SNS answers. Empty: as the region says."""
    webhook_url: str = ""
    """Where a service of yours takes messages: docs/text-messages.md."""
    webhook_secret: SecretStr = SecretStr("")
    """Signs each message; at least 32 random characters."""

    @field_validator("countries")
    @classmethod
    def _country_codes(cls, value: list[str]) -> list[str]:
        if any(one != EVERYWHERE and not _is_country(one) for one in value):
            raise ValueError('SMS_COUNTRIES: write country codes, such as ["DE", "AT"], or ["*"]')
        return value

    @field_validator("default_country")
    @classmethod
    def _country_code(cls, value: str) -> str:
        if value and not _is_country(value):
            raise ValueError("SMS_DEFAULT_COUNTRY: write a country code, such as DE")
        return value

    @field_validator(*ADDRESSES)
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @property
    def factor_allowed(self) -> bool:
        """Whether a texted code may be a second factor at all."""
        regimes = answers().get("compliance", {}).get("regimes", [])
        return self.as_second_factor and "hipaa" not in regimes

    def serves(self, country: str) -> bool:
        """Whether numbers of a country are accepted; on a laptop, where none is named, all are."""
        return not self.countries or EVERYWHERE in self.countries or country in self.countries

    def missing(self) -> list[str]:
        """The settings that the chosen sender lacks."""
        return [f"SMS_{name.upper()}" for name in NEEDS[self.sender] if not _text(self, name)]

    def outside(self) -> list[Outside]:
        from app.sms_codes.senders import load

        found = load(self.sender).address(self)
        return [
            Outside(
                name=name,
                gets="sends text messages: the number and the text",
                setting=f"SMS_{sender.upper()}_URL",
                addresses=(found,) if found and sender == self.sender else (),
            )
            for sender, name in SERVICES.items()
        ]

    def production_problems(self) -> list[str]:
        problems = []
        if self.sender == "stand_in":
            problems.append(
                "SMS_SENDER must be twilio, sns or webhook; the stand-in is for laptops."
            )
        problems += [f"{name} must be set for SMS_SENDER={self.sender}." for name in self.missing()]
        if not self.countries:
            problems.append('SMS_COUNTRIES must name the countries, or ["*"] for every country.')
        for name in ADDRESSES:
            if (address := _text(self, name)) and urlsplit(address).scheme != "https":
                problems.append(f"SMS_{name.upper()} must start with https://.")
        secret = self.webhook_secret.get_secret_value()
        if self.sender == "webhook" and 0 < len(secret) < SHORTEST_SECRET:
            problems.append("SMS_WEBHOOK_SECRET must be a random text of at least 32 characters.")
        return problems


def _text(settings: SmsSettings, name: str) -> str:
    value = getattr(settings, name)
    return str(value.get_secret_value() if isinstance(value, SecretStr) else value)


def _is_country(code: str) -> bool:
    return len(code) == 2 and code.isascii() and code.isalpha() and code.isupper()
