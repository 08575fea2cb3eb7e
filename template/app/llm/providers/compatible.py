"""Any address that speaks OpenAI's wire format, such as a LiteLLM proxy."""

from app.llm.access import Access
from app.llm.port import Provider

NEEDS = ("base_url", "model")


def address(access: Access) -> str:
    return access.base_url


def create(access: Access) -> Provider:
    from app.llm.providers.openai_wire import OpenAIWire

    return OpenAIWire(
        name="compatible",
        base_url=address(access),
        model=access.model,
        key=access.key,
        has_shapes=False,
        connect_seconds=access.seconds_to_connect,
        settings_prefix=access.prefix,
    )
