"""What people may rely on, in numbers, and how each event is counted for or against it.

Alerts compare the counters with the objectives (ops/prometheus/rules/slo.yml), so a number that is
changed here changes the alerts, too. docs/slo.md tells what each level means.
"""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.core.metrics import Counter, Gauge
from app.core.settings import ModuleSettings

EVENTS = Counter("app_slo_events_total", "Events that a service level looks at.", "slo")
BAD = Counter("app_slo_bad_total", "Those of them that people could not rely on.", "slo")
LEVELS = ("availability", "latency", "answers", "first_token")


class ServiceLevels(ModuleSettings):
    """Shares of events that must go well over 30 days, and how long is too long."""

    model_config = SettingsConfigDict(env_prefix="SLO_")

    availability: float = Field(0.995, gt=0, lt=1)
    """Requests that the app answers without an error of its own."""
    latency: float = Field(0.99, gt=0, lt=1)
    """Pages and API answers that begin in time; answers of models are not among them."""
    latency_seconds: float = Field(0.5, gt=0)
    """In time for pages and the API."""
    answers: float = Field(0.98, gt=0, lt=1)
    """Questions to a model that were allowed and got an answer."""
    first_token: float = Field(0.95, gt=0, lt=1)
    """Answers of models whose first word is shown in time."""
    first_token_seconds: float = Field(5, gt=0)
    """In time for a model's first word."""


def count(level: str, *, good: bool) -> None:
    EVENTS.add(level)
    if not good:
        BAD.add(level)


def _objectives() -> dict[tuple[str, ...], float]:
    settings = ServiceLevels.load()
    return {(level,): getattr(settings, level) for level in LEVELS}


Gauge("app_slo_objective", "The share that must go well.", "slo", read=_objectives)
for _level in LEVELS:
    # There from the start: an alert on a rate needs to see the first bad one.
    EVENTS.add(_level, by=0)
    BAD.add(_level, by=0)
