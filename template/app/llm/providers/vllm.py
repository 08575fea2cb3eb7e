"""vLLM on machines of our own."""

from app.llm.access import Access
from app.llm.port import Provider

NEEDS = ("base_url", "model")


def address(access: Access) -> str:
    return access.base_url


def create(access: Access) -> Provider:
    from app.llm.providers.openai_wire import OpenAIWire

    return OpenAIWire(
        name="vllm",
        base_url=address(access),
        model=access.model,
        key=access.key,
        connect_seconds=access.seconds_to_connect,
        settings_prefix=access.prefix,
    )
