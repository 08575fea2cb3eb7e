"""Ollama, by default on this machine."""

from app.llm.port import Provider
from app.llm.settings import LLMSettings

NEEDS = ("model",)


def address(settings: LLMSettings) -> str:
    return settings.base_url or "http://localhost:11434/v1"


def create(settings: LLMSettings) -> Provider:
    from app.llm.providers.openai_wire import OpenAIWire

    return OpenAIWire(
        name="ollama",
        base_url=address(settings),
        model=settings.model,
        key=settings.key,
        connect_seconds=settings.connect_seconds,
    )
