"""Settings of flags."""

from typing import Annotated

from pydantic import AfterValidator
from pydantic_settings import SettingsConfigDict

from app.core.settings import ModuleSettings


def _a_factory(value: str) -> str:
    module, _, name = value.partition(":")
    if value and not (name.isidentifier() and all(map(str.isidentifier, module.split(".")))):
        raise ValueError("FLAGS_PROVIDER is written package.module:name")
    return value


class FlagsSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="FLAGS_")

    provider: Annotated[str, AfterValidator(_a_factory)] = ""
    """What makes another provider of OpenFeature, as `package.module:name`. Empty: our table."""
