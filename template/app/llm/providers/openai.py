"""OpenAI."""

from app.llm.access import Access
from app.llm.port import Provider

NEEDS = ("api_key",)
ADDRESSES = {
    "anywhere": "https://api.openai.com/v1",
    "eu": "https://eu.api.openai.com/v1",
    "us": "https://us.api.openai.com/v1",
}


def address(access: Access) -> str:
    return access.base_url or ADDRESSES[access.data_region]


def create(access: Access) -> Provider:
    from app.llm.providers.openai_wire import OpenAIWire

    return OpenAIWire(
        name="openai",
        base_url=address(access),
        model=access.model or "gpt-6.1-terra",
        key=access.key,
        limit_field="max_completion_tokens",
        connect_seconds=access.seconds_to_connect,
        settings_prefix=access.prefix,
    )
