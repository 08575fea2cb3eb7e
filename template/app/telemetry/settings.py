from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from app.core.outside import Outside, is_here
from app.core.settings import ModuleSettings, answers


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
    log_seconds: float = Field(0, ge=0)
    """How often the web process writes into its log what it counted since; a release in a cloud's
    containers reads that. 0: never."""
    minutes_per_answer: float = Field(3, ge=0)
    """What one answer saves a person, by your own reckoning: dashboards show the sum."""
    release: str = ""
    """What is running, such as a version or a commit: dashboards show when it changed."""

    def production_problems(self) -> list[str]:
        if not self.port or is_here(self.host):
            return []
        if len(self.token.get_secret_value()) < 16:
            return ["METRICS_TOKEN must be at least 16 characters where METRICS_HOST is open."]
        return []


class TracingSettings(ModuleSettings):
    """The names are OpenTelemetry's own; its SDK reads further ones from the environment."""

    model_config = SettingsConfigDict(env_prefix="OTEL_")

    exporter_otlp_endpoint: str = ""
    """Where the collector takes OTLP over HTTP, such as http://collector:4318. Empty: nowhere."""
    service_name: str = answers().get("project", {}).get("slug", "app")
    """What traces and lines of the log are filed under."""
    traces_sampler_arg: float = 1.0
    """The share of requests and jobs that are traced."""
    logs_exporter: Literal["otlp", "none"] = "otlp"
    """Lines of the log go to the collector too, or `none`: to standard output only."""
    instrumentation_genai_capture_message_content: bool = False
    """Write questions and answers into traces, as the model gets and gives them."""

    def named(self) -> dict[str, str]:
        """What tells this app from others in a store."""
        release = MetricsSettings.load().release or "unnamed"
        return {"service.name": self.service_name, "service.version": release}

    def outside(self) -> list[Outside]:
        address = self.exporter_otlp_endpoint
        return [
            Outside(
                "OpenTelemetry collector",
                "traces and lines of the log: what was done and how long it took",
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                (address,) if address else (),
            )
        ]
