"""Which provider answers: the one in the settings, and a second one when it does not."""

from app.llm.access import STAND_IN, Access
from app.llm.call import Call
from app.llm.port import Provider
from app.llm.providers import load
from app.llm.settings import FallbackSettings, LLMSettings

_made: dict[type[Access], tuple[Access, Provider]] = {}


async def before(call: Call) -> None:
    call.provider = provider()
    second = fallback()
    if second is not None and _fits(call):
        call.second = second


def provider() -> Provider:
    """The configured provider, made once for these settings."""
    return _made_by(LLMSettings.load())


def fallback() -> Provider | None:
    """The second provider, when there is one."""
    settings = FallbackSettings.load()
    if not settings.provider or settings.chosen == STAND_IN:
        return None
    return _made_by(settings)


def _made_by(access: Access) -> Provider:
    known = _made.get(type(access))
    if known is None or known[0] is not access:
        known = _made[type(access)] = access, load(access.chosen).create(access)
    return known[1]


def _fits(call: Call) -> bool:
    needed = call.input_tokens + (call.ask.max_output_tokens or 0)
    return needed <= FallbackSettings.load().context_tokens
