"""Settings of the budgets."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.auth.settings import SignUpSettings
from app.core.settings import ROOT, ModuleSettings, answers
from app.modules import has

CAPACITY = answers().get("capacity", {})
PERSON_PER_HOUR = CAPACITY.get("tokens_per_person_per_hour", 240_000)
# Nobody asks as much as they may in every hour of the day.
BUSY_HOURS = 4
LARGEST = 10**15
"""Of calls, tokens and millionths of a dollar."""
Amount = Annotated[int | None, Field(ge=0, le=LARGEST)]
Dollars = Annotated[Decimal | None, Field(ge=0, le=LARGEST // 1_000_000, decimal_places=6)]


def _of_all() -> Decimal | None:
    """What was answered, where strangers make organisations and each begins with a fresh budget.

    Where there is one, its own budget is that of all.
    """
    if has("organizations") or SignUpSettings.load().organization == "own":
        answered: Decimal | None = answers().get("llm", {}).get("monthly_budget")
        return answered
    return None


class UsageSettings(ModuleSettings):
    """Budgets of people for whom an administrator has set none, and the most that an organisation
    may use to which those who run the app gave no ceiling. Empty: no limit; 0: nothing."""

    model_config = SettingsConfigDict(env_prefix="USAGE_", env_parse_none_str="")

    person_calls_per_hour: Amount = None
    """Calls of one person in one hour of the clock, UTC."""
    person_calls_per_day: Amount = None
    """Calls of one person in one day."""
    person_tokens_per_hour: Amount = PERSON_PER_HOUR
    """One person, one hour of the clock, UTC."""
    person_tokens_per_day: Amount = PERSON_PER_HOUR * BUSY_HOURS
    """One person, one day."""
    person_dollars_per_month: Dollars = None
    """One person, one calendar month."""
    organization_calls_per_hour: Amount = None
    """Calls of all of an organisation together, one hour: like the next ones the most it may use,
    unless those who run the app gave it another ceiling."""
    organization_calls_per_day: Amount = None
    """Calls of all of an organisation, one day."""
    organization_tokens_per_hour: Amount = None
    """All of an organisation together."""
    organization_tokens_per_day: Amount = None
    """All of an organisation, one day."""
    organization_dollars_per_month: Dollars = answers().get("llm", {}).get("monthly_budget")
    """All of an organisation, one calendar month."""
    installation_dollars_per_month: Dollars = Field(default_factory=_of_all)
    """All organisations together, one calendar month. By default `monthly_budget` as answered,
    where people make organisations; elsewhere no limit."""
    anomaly_factor: float = Field(6, ge=0)
    """So many usual deviations above the median an hour must cost to be told of. 0: never."""
    anomaly_dollars: Decimal = Field(Decimal(5), ge=0)
    """And so many dollars above it at least."""
    anomaly_tokens: int = Field(1_000_000, ge=0)
    """The same in tokens, for models that cost nothing."""
    prices_file: Path = ROOT / "prices.toml"
    """Prices of your own, written like app/usage/prices.toml; they win over those."""


def microdollars(dollars: Decimal | None) -> int | None:
    return None if dollars is None else int(dollars * 1_000_000)
