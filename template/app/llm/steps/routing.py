"""Which provider answers. Today it is always the one in the settings."""

from app.llm.call import Call
from app.llm.port import Provider
from app.llm.providers import load
from app.llm.settings import LLMSettings

_made: tuple[LLMSettings, Provider] | None = None


async def before(call: Call) -> None:
    call.provider = provider()


def provider() -> Provider:
    """The configured provider, made once for these settings."""
    global _made
    settings = LLMSettings.load()
    if _made is None or _made[0] is not settings:
        _made = settings, load(settings.chosen).create(settings)
    return _made[1]
