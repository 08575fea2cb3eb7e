"""Which model answers: the cheapest that will do, and others when it does not.

A module whose feature is answered by a model of its own has `own_provider.py` with `FEATURES`: what
gives the settings that name it, by feature. Such a feature has no second one.
"""

from collections.abc import Callable
from functools import cache

from app.llm.access import STAND_IN, Access
from app.llm.call import Call
from app.llm.port import Provider
from app.llm.providers import load
from app.llm.settings import FallbackSettings, LLMSettings, ModelLimits
from app.modules import parts
from app.usage.prices import price_of

_made: dict[type[Access], tuple[Access, Provider]] = {}
_others: dict[str, tuple[Access, Provider]] = {}


async def before(call: Call) -> None:
    if own := own_provider(call.ask.feature):
        call.provider = own
        return
    call.provider = of_model(call.ask.model) if call.ask.model else _cheapest(call)
    if call.ask.model:
        return  # Whoever names a model wants no other one.
    second = fallback()
    if second is not None and _fits(call):
        call.second = second
    smaller = LLMSettings.load().smaller_model
    if smaller not in {"", call.provider.model} and _is_able(call, smaller):
        call.smaller = of_model(smaller)


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


def of_model(name: str) -> Provider:
    """Another model of the usual provider."""
    settings = LLMSettings.load()
    known = _others.get(name)
    if known is None or known[0] is not settings:
        access = settings.model_copy(update={"model": name})
        known = _others[name] = settings, load(settings.chosen).create(access)
    return known[1]


def _cheapest(call: Call) -> Provider:
    """Of the models that will do for this feature, the cheapest that can do it."""
    usual, most = provider(), call.ask.max_output_tokens or 0
    accepted = LLMSettings.load().task_models.get(call.ask.feature, [])
    able = [of_model(name) for name in accepted if _is_able(call, name)]
    return min(
        [*able, usual],
        key=lambda one: price_of(one.price_list, one.model, day=call.day).cost(
            call.input_tokens, most
        ),
    )


def _is_able(call: Call, model: str) -> bool:
    settings = LLMSettings.load()
    limits, ask = settings.model_limits.get(model, ModelLimits()), call.ask
    needed = call.input_tokens + (ask.max_output_tokens or 0)
    return (
        needed <= (limits.context_tokens or settings.context_tokens)
        and (limits.tools or not ask.tools)
        and (limits.shapes or ask.shape is None)
    )


def _made_by(access: Access) -> Provider:
    known = _made.get(type(access))
    if known is None or known[0] is not access:
        known = _made[type(access)] = access, load(access.chosen).create(access)
    return known[1]


def _fits(call: Call) -> bool:
    needed = call.input_tokens + (call.ask.max_output_tokens or 0)
    return needed <= FallbackSettings.load().context_tokens
