"""A small model on this laptop, which `make dev MODEL=local` starts. Production refuses it."""

from dataclasses import replace

from app.llm.access import Access
from app.llm.port import Ask, Provider

NEEDS = ("base_url", "model")


def address(access: Access) -> str:
    return access.base_url


def create(access: Access) -> Provider:
    from app.llm.providers.openai_wire import OpenAIWire
    from app.llm.wire import Request

    class SmallLocal(OpenAIWire):
        async def request(self, ask: Ask, *, streams: bool) -> Request:
            # It cannot use tools, and its server would make it answer in JSON when it sees some.
            return await super().request(replace(ask, tools=()), streams=streams)

    return SmallLocal(
        name="small_local",
        base_url=address(access),
        model=access.model,
        key=access.key,
        connect_seconds=access.seconds_to_connect,
        settings_prefix=access.prefix,
    )
