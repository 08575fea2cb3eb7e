from email.utils import parseaddr
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from app.core.outside import Outside
from app.core.settings import ModuleSettings, answers

LAPTOP_SENDER = "no-reply@localhost"


class MailSettings(ModuleSettings):
    """Where mail goes."""

    model_config = SettingsConfigDict(env_prefix="MAIL_")

    backend: Literal["inbox", "smtp"] = "inbox"
    """`inbox` sends nothing: mail is read at /dev/inbox."""
    host: str = "localhost"
    """The mail server."""
    port: int = Field(587, ge=1, le=65535)
    """587 for starttls, 465 for tls."""
    username: str = ""
    """Empty: the server asks for none."""
    password: SecretStr = SecretStr("")
    """Goes with the username."""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls` begins in clear and must switch (port 587); `tls` starts encrypted (port 465)."""
    ca_file: Path | None = None
    """Certificates to trust in place of the system's, for a relay with a private authority."""
    timeout: float = Field(20, gt=0)
    """Seconds that the server may take for each answer."""
    sender: str = Field(LAPTOP_SENDER, validation_alias="MAIL_FROM")
    """`no-reply@example.com` or `Example <no-reply@example.com>`."""
    keep_days: int = Field(30, ge=1)
    """How long a note of each mail is kept: to whom and when, of sent ones not what."""

    @field_validator("sender")
    @classmethod
    def _one_address(cls, value: str) -> str:
        if "@" not in parseaddr(value)[1] or not value.isprintable():
            raise ValueError("MAIL_FROM must be a mail address")
        return value

    def outside(self) -> list[Outside]:
        return [
            Outside(
                name="Mail server",
                gets="sends mail: addresses, links to sign in, notices",
                setting="MAIL_HOST",
                addresses=(f"smtp://{self.host}:{self.port}",) if self.backend == "smtp" else (),
                proves_its_name=self.tls != "none",
            )
        ]

    def production_problems(self) -> list[str]:
        problems = []
        if self.backend == "inbox":
            problems.append("MAIL_BACKEND must be smtp; the inbox is for laptops.")
        if self.tls == "none":
            problems.append("MAIL_TLS must be starttls or tls: mail carries sign-in links.")
        if self.sender == LAPTOP_SENDER:
            problems.append("MAIL_FROM must be an address of yours.")
        return problems


def project_name() -> str:
    """The name that mail speaks in."""
    return str(answers()["project"]["name"])
