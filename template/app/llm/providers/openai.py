"""OpenAI."""

from app.llm.port import Provider
from app.llm.settings import LLMSettings

NEEDS = ("api_key",)


def create(settings: LLMSettings) -> Provider:
    from app.llm.providers.openai_wire import OpenAIWire

    return OpenAIWire(
        name="openai",
        base_url=settings.base_url or "https://api.openai.com/v1",
        model=settings.model or "gpt-6.1-terra",
        key=settings.key,
        limit_field="max_completion_tokens",
        connect_seconds=settings.connect_seconds,
    )
