"""One file for each provider, loaded by the name in LLM_PROVIDER.

A provider's file has `create(settings)`, `address(settings)` where it answers, and `NEEDS`, the
settings it cannot do without.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from app.llm.port import Provider
    from app.llm.settings import LLMSettings


class ProviderFile(Protocol):
    NEEDS: tuple[str, ...]

    def create(self, settings: "LLMSettings") -> "Provider": ...

    def address(self, settings: "LLMSettings") -> str: ...


def load(name: str) -> ProviderFile:
    return cast("ProviderFile", import_module(f"{__name__}.{name}"))
