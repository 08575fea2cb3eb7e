"""Azure OpenAI.

The address is https://RESOURCE.openai.azure.com/openai/v1/, the model is the deployment's name.
"""

from app.llm.port import Provider
from app.llm.settings import LLMSettings

NEEDS = ("api_key", "base_url", "model")


def address(settings: LLMSettings) -> str:
    return settings.base_url


def create(settings: LLMSettings) -> Provider:
    from app.llm.providers.openai_wire import OpenAIWire

    return OpenAIWire(
        name="azure",
        base_url=address(settings),
        model=settings.model,
        key=settings.key,
        key_header="api-key",
        limit_field="max_completion_tokens",
        connect_seconds=settings.connect_seconds,
    )
