"""Settings of the limits."""

from pydantic_settings import SettingsConfigDict

from app.core.settings import ModuleSettings, answers
from app.limits.rates import Rate

# A page with what it loads is a handful of requests, and a whole office may share one address.
REQUESTS_PER_PERSON_AND_MINUTE = 60


def _for_one_address() -> int:
    people = int(answers().get("users", {}).get("people_at_peak", 0))
    return max(1200, people * REQUESTS_PER_PERSON_AND_MINUTE)


class LimitsSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="LIMITS_")

    address_per_minute: int = _for_one_address()
    """Requests that one client address may make, over all routes. An IPv6 network of /64 is one."""
    connections: int = 4
    """Connections that each process keeps for limits, sign-ins and who asks, one statement each."""
    database_seconds: float = 2.0
    """How long an answer may take before the process limits by itself."""
    remembered: int = 20_000
    """Keys whose leases a process keeps in memory; the longest unused go first."""
    lockout_free_attempts: int = 5
    """Failed sign-ins before each further one must wait."""
    lockout_longest_seconds: int = 900
    """The wait doubles from two seconds up to this."""

    @property
    def address_rate(self) -> Rate:
        return Rate(per_minute=self.address_per_minute)
