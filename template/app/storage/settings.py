from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from app.core.outside import Outside
from app.core.settings import ROOT, ModuleSettings
from app.storage import role

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
    """A key that may read, write and delete objects there, and nothing else. Empty: the role that
    ECS or EKS gives the container."""
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
            if "folder" in self.model_fields_set:
                return []
            return ["STORAGE_FOLDER must name a folder that outlives the container."]
        given = {name: getattr(self, name) for name in NEEDS}
        given["s3_secret_key"] = self.s3_secret_key.get_secret_value()
        if role.address() and not self.s3_access_key:
            given |= {"s3_access_key": "of the role", "s3_secret_key": "of the role"}
        return [
            f"STORAGE_{name.upper()} must be set for STORAGE_BACKEND=s3."
            for name, value in given.items()
            if not value
        ]

    def outside(self) -> list[Outside]:
        return [
            Outside(
                name="S3 server",
                gets="keeps files: encrypted, under random names",
                setting="STORAGE_S3_URL",
                addresses=(self.s3_url,) if self.s3_url and self.backend == "s3" else (),
            ),
            Outside(
                name="Credentials of the cloud's role",
                gets="hands out the keys for the S3 server; the address never leaves the machine",
                setting="AWS_CONTAINER_CREDENTIALS_FULL_URI",
                addresses=(role.address(),) if self.backend == "s3" and role.address() else (),
                # Nobody stands between a machine and its own link-local addresses.
                proves_its_name=True,
            ),
        ]
