"""Which provider answers: the one in the settings, and a second one when it does not.

A module whose feature is answered by a model of its own has `own_provider.py` with `FEATURES`: what
gives the settings that name it, by feature. Such a feature has no second one.
"""

from collections.abc import Callable
from functools import cache

from app.llm.access import STAND_IN, Access
from app.llm.call import Call
from app.llm.port import Provider
from app.llm.providers import load
from app.llm.settings import FallbackSettings, LLMSettings
from app.modules import parts

_made: dict[type[Access], tuple[Access, Provider]] = {}


async def before(call: Call) -> None:
    if own := own_provider(call.ask.feature):
        call.provider = own
        return
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


def own_provider(feature: str) -> Provider | None:
    """The model of a feature that has one of its own."""
    found = _own().get(feature)
    return _made_by(found()) if found else None


@cache
def _own() -> dict[str, Callable[[], Access]]:
    return {
        feature: load for part in parts("own_provider") for feature, load in part.FEATURES.items()
    }


def _made_by(access: Access) -> Provider:
    known = _made.get(type(access))
    if known is None or known[0] is not access:
        known = _made[type(access)] = access, load(access.chosen).create(access)
    return known[1]


def _fits(call: Call) -> bool:
    needed = call.input_tokens + (call.ask.max_output_tokens or 0)
    return needed <= FallbackSettings.load().context_tokens
