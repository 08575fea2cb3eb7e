from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from app.core.settings import ROOT, ModuleSettings, get_settings

NEEDS = ("s3_url", "s3_bucket", "s3_region", "s3_access_key", "s3_secret_key")


class StorageSettings(ModuleSettings):
    """Where files are kept."""

    model_config = SettingsConfigDict(env_prefix="STORAGE_")

    backend: Literal["disk", "s3"] = "disk"
    """`disk` is a folder that every process of the app sees; `s3` any server that speaks S3."""
    folder: Path = ROOT / ".local" / "files"
    """Where `disk` keeps them."""
    s3_url: str = ""
    """Where the server answers, such as `https://s3.eu-central-1.amazonaws.com`."""
    s3_bucket: str = ""
    """The bucket; it must be there."""
    s3_region: str = ""
    """Its region, such as `eu-central-1`."""
    s3_access_key: str = ""
    """A key that may read, write and delete objects there, and nothing else."""
    s3_secret_key: SecretStr = SecretStr("")
    """Goes with the access key."""
    s3_session_token: SecretStr = SecretStr("")
    """Goes with a temporary access key."""
    seconds: float = Field(60, gt=0)
    """The longest that the server may take for one file."""

    @field_validator("s3_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    def production_problems(self) -> list[str]:
        if self.backend == "disk":
            return []
        given = {name: getattr(self, name) for name in NEEDS}
        given["s3_secret_key"] = self.s3_secret_key.get_secret_value()
        problems = [
            f"STORAGE_{name.upper()} must be set for STORAGE_BACKEND=s3."
            for name, value in given.items()
            if not value
        ]
        where = urlsplit(self.s3_url)
        inside = where.hostname in get_settings().outbound_private_hosts
        if self.s3_url and where.scheme != "https" and not inside:
            problems.append(
                "STORAGE_S3_URL must start with https://, or name one of OUTBOUND_PRIVATE_HOSTS."
            )
        return problems
