"""Where ordinary use ends. Why each number is what it is: docs/security/abuse.md."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

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
