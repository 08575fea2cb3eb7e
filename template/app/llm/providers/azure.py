"""Azure OpenAI.

The address is https://RESOURCE.openai.azure.com/openai/v1/, the model is the deployment's name.
"""

from app.llm.access import Access
from app.llm.port import Provider

NEEDS = ("api_key", "base_url", "model")


def address(access: Access) -> str:
    return access.base_url


def create(access: Access) -> Provider:
    from app.llm.providers.openai_wire import OpenAIWire

    return OpenAIWire(
        name="azure",
        base_url=address(access),
        model=access.model,
        key=access.key,
        key_header="api-key",
        limit_field="max_completion_tokens",
        connect_seconds=access.seconds_to_connect,
        settings_prefix=access.prefix,
    )
