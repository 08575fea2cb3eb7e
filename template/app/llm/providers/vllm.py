"""vLLM on machines of our own."""

from app.llm.port import Provider
from app.llm.settings import LLMSettings

NEEDS = ("base_url", "model")


def address(settings: LLMSettings) -> str:
    return settings.base_url


def create(settings: LLMSettings) -> Provider:
    from app.llm.providers.openai_wire import OpenAIWire

    return OpenAIWire(
        name="vllm",
        base_url=address(settings),
        model=settings.model,
        key=settings.key,
        connect_seconds=settings.connect_seconds,
    )
