"""One file for each provider, loaded by the name in LLM_PROVIDER.

A provider's file has `create(access)`, `address(access)` where it answers, and `NEEDS`, the
settings it cannot do without. It may have `problems(access)`: why data must not go there.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from app.llm.access import Access
    from app.llm.port import Provider


class ProviderFile(Protocol):
    NEEDS: tuple[str, ...]

    def address(self, access: "Access") -> str: ...

    def create(self, access: "Access") -> "Provider": ...


def load(name: str) -> ProviderFile:
    return cast("ProviderFile", import_module(f"{__name__}.{name}"))


def problems(access: "Access") -> list[str]:
    """Why data may not go to this provider as it is set up."""
    found = getattr(load(access.provider), "problems", None)
    return list(found(access)) if found else []
