from ipaddress import ip_address

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from app.core.settings import ModuleSettings


class MetricsSettings(ModuleSettings):
    """Where Prometheus reads figures. They stand on a port of their own and are never public."""

    model_config = SettingsConfigDict(env_prefix="METRICS_")

    port: int = Field(0, ge=0, le=65_000)
    """Where `/metrics` listens; a second process on the machine takes the next one. 0: nowhere."""
    host: str = "127.0.0.1"
    """The address to listen at."""
    token: SecretStr = SecretStr("")
    """What Prometheus sends as bearer token; needed where others than this machine may connect."""
    rows_seconds: float = Field(30, gt=0)
    """How often figures are read from the database at most."""
    minutes_per_answer: float = Field(3, ge=0)
    """What one answer saves a person, by your own reckoning: dashboards show the sum."""
    release: str = ""
    """What is running, such as a version or a commit: dashboards show when it changed."""

    def production_problems(self) -> list[str]:
        if not self.port or _is_this_machine(self.host):
            return []
        if len(self.token.get_secret_value()) < 16:
            return ["METRICS_TOKEN must be at least 16 characters where METRICS_HOST is open."]
        return []


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
