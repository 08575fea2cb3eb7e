"""How one provider is reached: the settings that its file needs."""

from functools import cached_property
from importlib.util import find_spec
from typing import ClassVar, Literal

from pydantic import BaseModel, SecretStr, field_validator
from yarl import URL

from app.core.outside import Outside
from app.core.settings import get_settings

Region = Literal["anywhere", "eu", "us"]
STAND_IN = "stand_in"
SMALL_LOCAL = "small_local"
"""A small model that `make dev MODEL=local` starts."""
LAPTOP_ONLY = frozenset({STAND_IN, SMALL_LOCAL})


class Access(BaseModel):
    prefix: ClassVar[str]
    """Of the environment variables, for sentences that name them."""

    provider: str
    """A file in app/llm/providers."""
    base_url: str = ""
    """Where the provider answers, often up to and with /v1. Empty: the provider's own address."""
    api_key: SecretStr = SecretStr("")
    """The provider's key."""
    model: str = ""
    """Empty: the model that the provider's file names."""
    location: str = ""
    """Where a cloud runs the model: a region, at Google also `eu`, `us` or `global`."""
    project: str = ""
    """The project at Google Cloud. Empty: the one that the credentials belong to."""

    @field_validator("provider")
    @classmethod
    def _present(cls, value: str) -> str:
        known = value.isidentifier() and find_spec(f"app.llm.providers.{value}") is not None
        if value and not known:
            raise ValueError(f"{cls.prefix}PROVIDER names a provider that this project lacks")
        return value

    @field_validator("base_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://")):
            raise ValueError(f"{cls.prefix}BASE_URL starts with https:// or http://")
        return value

    @field_validator("location", "project")
    @classmethod
    def _a_name(cls, value: str) -> str:
        # They become part of a host name and a path.
        if not all(letter.isascii() and (letter.isalnum() or letter in "-.:") for letter in value):
            raise ValueError(f"{cls.prefix}LOCATION and {cls.prefix}PROJECT are plain names")
        return value

    @property
    def data_region(self) -> Region:
        """Where data may go."""
        raise NotImplementedError

    @property
    def seconds_to_connect(self) -> float:
        raise NotImplementedError

    @property
    def key(self) -> str:
        """The provider's key, or an empty text."""
        return self.api_key.get_secret_value()

    @property
    def lacking(self) -> list[str]:
        """The environment variables that the provider cannot do without and that are not set."""
        given = {
            "api_key": self.key,
            "base_url": self.base_url,
            "model": self.model,
            "location": self.location,
            "project": self.project,
        }
        needs = self._needs() if self.provider else ()
        return [f"{self.prefix}{name.upper()}" for name in needs if not given[name]]

    @cached_property
    def chosen(self) -> str:
        """The provider that answers now; on a laptop the stand-in until the settings are there."""
        if self.lacking and not get_settings().production:
            return STAND_IN
        return self.provider

    def server(self, name: str = "Model provider") -> Outside:
        """The provider as one of the servers that the app talks to."""
        from app.llm.providers import load

        known = self.provider and not self.lacking
        found = load(self.chosen).address(self) if known else ""
        return Outside(
            name=name,
            gets="answers questions: the conversation",
            setting=f"{self.prefix}BASE_URL",
            addresses=(found,) if found else (),
        )

    def access_problems(self) -> list[str]:
        """Why production must not start with this provider."""
        from app.llm.providers import problems

        missing = [f"{name} must be set for the model provider." for name in self.lacking]
        there = elsewhere(f"{self.prefix}BASE_URL", self.base_url, self.data_region)
        return missing or there + problems(self)

    def _needs(self) -> tuple[str, ...]:
        from app.llm.providers import load

        return load(self.provider).NEEDS


def elsewhere(setting: str, url: str, wanted: Region) -> list[str]:
    """Why data must not go to an address of which is known where it is: those of OpenAI."""
    from app.llm.providers.openai import ADDRESSES

    known = {URL(address).host: region for region, address in ADDRESSES.items()}
    host = URL(url).host if url else None
    if wanted == "anywhere" or known.get(host, wanted) == wanted:
        return []
    return [f"{setting}: {host} is not in {wanted.upper()}, where data must stay."]
