"""Ollama, by default on this machine."""

from app.llm.access import Access
from app.llm.port import Provider

NEEDS = ("model",)


def address(access: Access) -> str:
    return access.base_url or "http://localhost:11434/v1"


def create(access: Access) -> Provider:
    from app.llm.providers.openai_wire import OpenAIWire

    return OpenAIWire(
        name="ollama",
        base_url=address(access),
        model=access.model,
        key=access.key,
        connect_seconds=access.seconds_to_connect,
        settings_prefix=access.prefix,
    )
