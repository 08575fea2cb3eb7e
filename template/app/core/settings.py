"""Settings come from the environment; every default works on a laptop.

The answers given when the project was generated stand in `app/answers.toml` and serve as
defaults. In production `refuse_unsafe()` stops the start when a default that only suits a laptop
is still in place.
"""

import os
import tomllib
from base64 import b64decode
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

import app
from app.core.errors import CannotStart
from app.core.outside import Outside, database
from app.modules import parts

ROOT = Path(app.__file__).parent.parent
LAPTOP_SECRET = "a-secret-for-laptops-only-that-production-refuses"  # noqa: S105


class UnsafeSettings(CannotStart):
    """Production was asked to start with settings that only suit a laptop."""


@cache
def answers() -> dict[str, dict[str, Any]]:
    """What was answered when this project was generated, by table."""
    return tomllib.loads((ROOT / "app" / "answers.toml").read_text(encoding="utf-8"))


LOADED: dict[type, Any] = {}
"""What was read from the environment, by kind."""


class ModuleSettings(BaseSettings):
    """One module's settings; give `env_prefix` in `model_config`."""

    model_config = SettingsConfigDict(
        # Empty for none: tests, and whatever they start, have nothing from this machine.
        env_file=os.environ.get("APP_ENV_FILE", ROOT / ".env") or None,
        env_file_encoding="utf-8",
        extra="ignore",
        # A secret that comes from a file ends with the file's last line end.
        str_strip_whitespace=True,
        # A value that is refused may be a key, and the refusal ends up in the server's log.
        hide_input_in_errors=True,
    )

    @classmethod
    def load(cls) -> Self:
        found: Self | None = LOADED.get(cls)
        if found is None:
            found = LOADED[cls] = cls()
        return found

    def production_problems(self) -> list[str]:
        """Sentences that say why production must not start like this."""
        return []

    def outside(self) -> list[Outside]:
        """Every server that these settings let the app talk to."""
        return []


class Settings(ModuleSettings):
    """What the whole app needs to know."""

    app_env: Literal["development", "test", "production"] = "development"
    """Production refuses every default that only suits a laptop."""
    secret_key: SecretStr = SecretStr(LAPTOP_SECRET)
    """Signs cookies and keys digests; at least 32 random characters."""
    encryption_keys: SecretStr = SecretStr("")
    """`id:base64 of 32 bytes`, comma separated. The first encrypts, all of them decrypt."""

    public_url: str = "http://localhost:8000"
    """Where people reach the app; links in mails start with it."""
    database_url: str = ""
    """Where the app logs in, as a role that owns nothing. Empty: the embedded server."""
    database_owner_url: str = ""
    """Where migrations log in, as the owner of the tables."""
    database_ca: str = ""
    """Certificates that sign the database's, as PEM, for sslmode=verify-full. Empty: the URL's."""
    database_pool_size: int = answers().get("capacity", {}).get("database_pool_size", 10)
    """Connections that one process keeps."""
    database_prepared: bool = True
    """Statements are prepared; off behind a pooler that keeps none, such as an older PgBouncer."""
    database_folder: Path = ROOT / ".local" / "database"
    """Where the embedded server keeps its files."""
    trusted_proxies: int = 0
    """How many proxies of ours stand before the app and write X-Forwarded-For."""
    outbound_private_hosts: list[str] = Field(default_factory=list)
    """Hosts of our own network that the app may call where an address can be chosen by others."""
    unencrypted_hosts: list[str] = Field(default_factory=list)
    """Hosts that may be reached without TLS, because they stand in a network of ours."""
    body_limit_bytes: int = 1_048_576
    """The largest request body."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    debug: bool = False
    """FastAPI's debug pages; production refuses them."""

    @field_validator("public_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @property
    def production(self) -> bool:
        return self.app_env == "production"

    def production_problems(self) -> list[str]:
        problems = []
        if len(self.secret_key.get_secret_value()) < 32 or (
            self.secret_key.get_secret_value() == LAPTOP_SECRET
        ):
            problems.append("SECRET_KEY must be a random text of at least 32 characters.")
        if not self.encryption_keys.get_secret_value():
            problems.append("ENCRYPTION_KEYS must hold at least one key: `app keys new` makes one.")
        if not self.database_url:
            problems.append("DATABASE_URL must name a database; the embedded one is for laptops.")
        if not self.public_url.startswith("https://"):
            problems.append("PUBLIC_URL must start with https://.")
        if self.debug:
            problems.append("DEBUG must be off.")
        return problems

    def outside(self) -> list[Outside]:
        return [
            database("DATABASE_URL", self.database_url, "all that the app keeps"),
            database("DATABASE_OWNER_URL", self.database_owner_url, "migrations, from `app db`"),
        ]

    @field_validator("encryption_keys")
    @classmethod
    def _well_formed(cls, value: SecretStr) -> SecretStr:
        for entry in filter(None, value.get_secret_value().split(",")):
            name, _, key = entry.partition(":")
            if not name or len(name) > 16 or len(b64decode(key, validate=True)) != 32:
                raise ValueError("ENCRYPTION_KEYS: write `id:base64 of 32 bytes`, comma separated")
        return value


def get_settings() -> Settings:
    return Settings.load()


def all_settings() -> list[ModuleSettings]:
    """The settings of every module."""
    parts("settings")
    kinds = ModuleSettings.__subclasses__()
    return [kind.load() for kind in kinds if kind.__module__.startswith("app.")]


def refuse_unsafe() -> None:
    """Raise `UnsafeSettings` in production when any module's settings have a problem."""
    if not get_settings().production:
        return
    problems, trusted = [], get_settings().unencrypted_hosts
    for settings in all_settings():
        problems += settings.production_problems()
        problems += [line for one in settings.outside() for line in one.problems(trusted)]
    if problems:
        raise UnsafeSettings("Production refuses to start:\n- " + "\n- ".join(problems))
