"""Google's Gemini API for developers, with a key."""

from app.llm.access import Access
from app.llm.port import Provider

NEEDS = ("api_key",)
ADDRESS = "https://generativelanguage.googleapis.com/v1beta"
MODEL = "gemini-3.8-flash"


def address(access: Access) -> str:
    return access.base_url or ADDRESS


def create(access: Access) -> Provider:
    from app.llm.providers.gemini_wire import GeminiWire

    return GeminiWire(
        name="google",
        base_url=address(access),
        model=access.model or MODEL,
        key=access.key,
        connect_seconds=access.seconds_to_connect,
        settings_prefix=access.prefix,
    )


def problems(access: Access) -> list[str]:
    if access.data_region != "anywhere":
        return ["Google's Gemini API has no regions; vertex keeps data where it should be."]
    return []
