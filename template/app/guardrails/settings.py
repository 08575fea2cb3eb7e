"""Settings of the guards."""

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from app.core.settings import ModuleSettings
from app.guardrails.detector import is_installed

KINDS = frozenset({"email", "phone", "card", "account", "address", "national"})


class GuardrailsSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="GUARDRAILS_")

    injection_score: float = Field(1.0, gt=0)
    """From this score on a question is refused. A clear attempt scores 1, a hint 0.5."""
    review_score: float = Field(0, ge=0)
    """From this score on, and below the one that refuses, a person looks at the answer before it is
    shown. 0: never."""
    review_words: tuple[str, ...] = ()
    """Words and phrases in a question or an answer that a person looks at before it is shown."""
    learned: bool = False
    """Ask the learned detector, too. Needs `uv sync --group guards` and some 100 MB of memory."""
    learned_seconds: float = Field(10, gt=0)
    """The longest wait for it; a question that could not be judged in time is refused."""

    mask: tuple[str, ...] = ("account", "card", "email", "national", "phone")
    """Personal data that goes to the model as a placeholder: email, phone, card, account (IBAN),
    address (of a network), national (numbers of persons). Empty: none."""
    phone_countries: tuple[str, ...] = ("US", "GB", "DE", "FR", "ES", "IT")
    """Whose phone numbers are known without a country code."""
    profanity: tuple[str, ...] = ("*",)
    """Languages (en, de, …) whose swear words are masked in answers; `*` for all that are known,
    empty for none."""
    link_hosts: tuple[str, ...] = ()
    """Hosts, with those below them, that links in answers may lead to; `*` for every host. Images
    may only come from hosts that are named."""

    @field_validator("mask")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := set(value) - KINDS:
            raise ValueError(f"GUARDRAILS_MASK does not know {', '.join(sorted(unknown))}")
        return value

    def production_problems(self) -> list[str]:
        if self.learned and not is_installed():
            return ["GUARDRAILS_LEARNED needs the dependency group `guards` in the image."]
        return []
