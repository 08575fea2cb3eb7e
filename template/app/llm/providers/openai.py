"""OpenAI."""

from app.llm.port import Provider
from app.llm.settings import LLMSettings

NEEDS = ("api_key",)
ADDRESSES = {
    "anywhere": "https://api.openai.com/v1",
    "eu": "https://eu.api.openai.com/v1",
    "us": "https://us.api.openai.com/v1",
}


def address(settings: LLMSettings) -> str:
    return settings.base_url or ADDRESSES[settings.region]


def create(settings: LLMSettings) -> Provider:
    from app.llm.providers.openai_wire import OpenAIWire

    return OpenAIWire(
        name="openai",
        base_url=address(settings),
        model=settings.model or "gpt-6.1-terra",
        key=settings.key,
        limit_field="max_completion_tokens",
        connect_seconds=settings.connect_seconds,
    )
