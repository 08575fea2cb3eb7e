"""The wires that providers speak, as their servers speak them.

A file has `PROVIDERS`, for each provider of this wire the settings that lead to it, `REFUSALS`, the
answers with which it refuses, and `Dialect`. Only wires whose provider this project has are there.
"""

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, Protocol

import orjson

from tests.llm.behaviour import Behaviour, Received


class Wire(Protocol):
    stream_type: str
    garbage: bytes
    """Belongs into no stream."""
    writes_arguments: bool
    """A stream holds arguments as the model wrote them, right or wrong."""

    def streams(self, request: Received) -> bool: ...
    def opening(self, wanted: Behaviour, request: Received) -> list[bytes]: ...
    def word(self, wanted: Behaviour, request: Received, number: int, word: str) -> bytes: ...
    def calls(self, wanted: Behaviour, request: Received) -> list[bytes]:
        """The tools that it asks for, each in several pieces where the wire has such."""
        ...

    def ending(self, wanted: Behaviour, request: Received) -> list[bytes]: ...
    def broken(self, wanted: Behaviour) -> bytes:
        """The provider gives up in the middle of its stream."""
        ...

    def whole(self, wanted: Behaviour, request: Received) -> Any: ...


def found() -> dict[str, ModuleType]:
    """The wire of each provider that this project has, by the provider's name."""
    wires = [import_module(f"{__name__}.{one.name}") for one in iter_modules(__path__)]
    return {
        provider: wire
        for wire in wires
        for provider in wire.PROVIDERS
        if find_spec(f"app.llm.providers.{provider}")
    }


def pieces(text: str) -> list[str]:
    """Five letters each, or a hundred pieces of what is huge."""
    size = max(5, len(text) // 100)
    return [text[at : at + size] for at in range(0, len(text), size)]


def sse(data: Any, event: str = "") -> bytes:
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {orjson.dumps(data).decode()}\n\n".encode()
