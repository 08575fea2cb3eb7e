"""Where ordinary use ends. Why each number is what it is: docs/security/abuse.md."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from app.core.outside import Outside
from app.core.settings import ModuleSettings, answers

PEOPLE = int(answers().get("users", {}).get("people_at_peak", 0))
CALLS = int(answers().get("llm", {}).get("calls_per_person_per_hour", 0))


class AbuseSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="ABUSE_")

    logins_per_address: int = Field(max(20, PEOPLE // 5), ge=2)
    """Different logins that may fail at one address in an hour before it is slowed.

    Twice as many: it is challenged. Four times: suspended. A network (/24, /48) may three times so.
    """
    failures_usual: int = Field(max(50, PEOPLE // 5), ge=2)
    """Failed sign-ins at hardly tried logins in ten minutes that are no spraying anywhere."""
    sign_ups_per_network: int = Field(40, ge=2)
    """Sign-ups from one network (/24, /48) in an hour before they are challenged."""
    sign_ups_usual: int = Field(max(100, PEOPLE // 2), ge=2)
    """Sign-ups in ten minutes that are no flood anywhere."""
    times_the_usual: float = Field(3, gt=1)
    """How far above its own usual peak the whole app may come before it is spraying or a flood."""
    reads_per_person: int = Field(3_000, ge=20)
    """Pages and records that one person may read in an hour."""
    reads_per_key: int = Field(20_000, ge=20)
    """Records that one API key may read in an hour."""
    prompts_per_person: int = Field(max(150, CALLS * 3), ge=10)
    """Different prompts of one person in an hour; three times as many suspend from the models."""
    prompts_per_key: int = Field(max(750, CALLS * 15), ge=10)
    """Different prompts by one API key in an hour; three times as many suspend it."""
    prompts_per_organization: int = Field(max(2_000, PEOPLE * CALLS * 2), ge=10)
    """Different prompts of one organisation in an hour; above it all of them are slowed."""
    measure_minutes: int = Field(60, ge=1)
    """How long something stays slowed or challenged."""
    suspend_minutes: int = Field(30, ge=1)
    """How long something stays suspended."""
    known_seconds: float = Field(5, ge=0)
    """How long a process goes by the measures that it has read."""
    keep_days: int = Field(30, ge=1)
    """How long it is kept what was seen and what was done about it."""


# Published by the providers: with them everything is solved, or nothing is.
TEST_SECRETS = (
    "1x0000000000000000000000000000000AA",
    "2x0000000000000000000000000000000AA",
    "3x0000000000000000000000000000000AA",
    "0x0000000000000000000000000000000000000000",
)


VERIFY = {
    "turnstile": "https://challenges.cloudflare.com/turnstile/v0/siteverify",
    "hcaptcha": "https://api.hcaptcha.com/siteverify",
}


class CaptchaSettings(ModuleSettings):
    """What asks people to show that they are none of the programs that were seen."""

    model_config = SettingsConfigDict(env_prefix="CAPTCHA_")

    provider: Literal["", "turnstile", "hcaptcha"] = ""
    """`turnstile` or `hcaptcha`. Empty: what would be challenged is slowed."""
    site_key: str = Field("", max_length=100)
    """Stands in the page."""
    secret: SecretStr = SecretStr("")
    """Checks the answers."""
    verify_url: str = ""
    """Where answers are checked. Empty: at the provider's."""

    @property
    def address(self) -> str:
        return self.verify_url or VERIFY.get(self.provider, "")

    def outside(self) -> list[Outside]:
        return [
            Outside(
                name="Captcha: Turnstile or hCaptcha",
                gets="checks that a challenge was solved: our secret and the answer, no address."
                " The page of a challenge loads its widget from there",
                setting="CAPTCHA_PROVIDER",
                addresses=(self.address,) if self.provider else (),
            )
        ]

    @property
    def is_test(self) -> bool:
        return self.secret.get_secret_value() in TEST_SECRETS

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.provider and not (self.site_key and self.secret.get_secret_value()):
            raise ValueError("CAPTCHA_SITE_KEY and CAPTCHA_SECRET belong to CAPTCHA_PROVIDER.")
        return self

    def production_problems(self) -> list[str]:
        if self.provider and self.is_test:
            return ["CAPTCHA_SECRET is one of the provider's keys for tests: all is solved."]
        return []
