from typing import Literal

from pydantic_settings import SettingsConfigDict

from app.core.settings import ModuleSettings, answers, get_settings
from app.users.schemas import MailDomain

USERS = answers().get("users", {})


class SignUpSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="SIGN_UP_")

    mode: Literal["open", "invitation", "domain"] = USERS.get("sign_up", "open")
    """Who may make an account: open, invitation or domain."""
    domains: list[MailDomain] = USERS.get("sign_up_domains", [])
    """For the mode `domain`: whose mail addresses may sign up."""
    organization: Literal["own", "shared"] = "own" if USERS.get("tenancy") == "many" else "shared"
    """Whoever was not invited gets an organisation of their own, or joins the shared one."""
    first_is_admin: bool = False
    """The first person of an empty database may sign up, and runs the app; `app dev` sets it."""

    def production_problems(self) -> list[str]:
        if self.first_is_admin:
            return ["SIGN_UP_FIRST_IS_ADMIN must be off: use `app create-admin`."]
        return []


class PasswordSettings(ModuleSettings):
    """Argon2id as OWASP's password storage cheat sheet has it: 19 MiB, two rounds, one lane."""

    model_config = SettingsConfigDict(env_prefix="PASSWORD_")

    memory_kib: int = 19_456
    """Memory that one hash takes."""
    rounds: int = 2
    """How often it goes through that memory."""
    minimum_length: int = 12
    """The shortest password, in characters."""
    waiting: int = 64
    """How many may wait for a free core before the next is told to come back."""

    def production_problems(self) -> list[str]:
        problems = []
        if self.memory_kib < 7_168 or self.memory_kib * self.rounds < 19_456 * 2:
            problems.append("PASSWORD_MEMORY_KIB and PASSWORD_ROUNDS are below 19456 and 2.")
        if self.minimum_length < 8:
            problems.append("PASSWORD_MINIMUM_LENGTH must be at least 8.")
        return problems


def public_url(path: str) -> str:
    """An address of this app, for a mail."""
    return get_settings().public_url + path
