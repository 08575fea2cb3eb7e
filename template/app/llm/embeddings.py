"""Vectors of texts, from the provider that LLM_EMBEDDING_MODEL names: reserved, called, settled.

Without one, a laptop gets vectors that no model made (`extractive/vectors.py`).
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from app.core.errors import Problem, Unavailable
from app.core.ids import uuid7
from app.flags import switches
from app.guardrails import chain
from app.llm import settling
from app.llm.errors import ModelMisconfigured, billed
from app.llm.extractive import vectors as stand_in
from app.llm.port import estimated_tokens
from app.llm.settings import LLMSettings
from app.modules import parts
from app.usage import service as usage
from app.usage.prices import price_of
from app.usage.service import Reservation, Used

if TYPE_CHECKING:
    from app.llm.providers.openai_wire import OpenAIWire

AT_ONCE = 64
MOST_NUMBERS = stand_in.DIMENSIONS
SETTLING_SECONDS = 300
STAND_IN = f"stand_in/{stand_in.MODEL}"


class TooManyNumbers(Unavailable):
    """The vectors came, and will be billed, but are too long to be kept."""


def chosen() -> str:
    """What makes vectors now, as `provider/model`: vectors of two of them do not compare."""
    settings = LLMSettings.load()
    if not settings.embedding_model:
        return STAND_IN
    # Vectors of another address do not compare, even when the model is called the same.
    provider = "embeddings" if settings.embedding_base_url else settings.provider
    return f"{provider}/{settings.embedding_model}"


def can_make(model: str) -> bool:
    """Whether vectors of this `provider/model` can be made with the settings of now."""
    return model in {STAND_IN, chosen()} or (
        model.partition("/")[0] == chosen().partition("/")[0] != "stand_in"
    )


async def embed(
    texts: Sequence[str],
    *,
    organization_id: UUID,
    user_id: UUID | None,
    feature: str,
    model: str | None = None,
    keep: bool = True,
    booked: Callable[[Used], None] | None = None,
) -> list[list[float]]:
    """One vector for each text, perhaps without a direction. Raises a Problem.

    What guards mask for a model is masked here as well. No transaction is open meanwhile. Without
    `keep` nothing of the texts stays: those that belong to another organisation than the one that
    pays. `booked` is told what each request used, also one that failed.
    """
    provider, _, name = (model or chosen()).partition("/")
    if f"{provider}/{name}" == STAND_IN:
        return await asyncio.to_thread(stand_in.vectors, texts)
    await switches.check(feature, organization_id=organization_id, who=user_id)
    texts = [await chain.without_data(one) for one in texts]
    kind = f"{provider}/{name}/{LLMSettings.load().embedding_dimensions or ''}"
    known: dict[str, Sequence[float]] = {}
    stores = parts("vector_store") if keep else []
    for store in stores:
        known |= await store.find(organization_id, kind, texts)
    unknown = [one for one in dict.fromkeys(texts) if one not in known]
    for start in range(0, len(unknown), AT_ONCE):
        some = unknown[start : start + AT_ONCE]
        made = await _embed(some, provider, name, organization_id, user_id, feature, booked)
        for store in stores:
            await store.keep(organization_id, kind, some, made)
        known |= zip(some, made, strict=True)
    return [list(known[one]) for one in texts]


async def _embed(
    texts: Sequence[str],
    provider: str,
    model: str,
    organization_id: UUID,
    user_id: UUID | None,
    feature: str,
    booked: Callable[[Used], None] | None,
) -> list[list[float]]:
    settings = LLMSettings.load()
    price = price_of(provider, model)
    tokens = sum(map(estimated_tokens, texts))
    reservation = Reservation(
        uuid7(), organization_id, user_id, feature, provider, tokens, price.cost(tokens, 0)
    )

    def used(counted: int, *, estimated: bool) -> Used:
        cost = price.cost(counted, 0)
        return Used(model, counted, microdollars=cost, estimated=estimated, price_known=price.known)

    spent, outcome = Used(model), "failed"
    try:
        await usage.reserve(
            reservation,
            model=model,
            price_known=price.known,
            seconds=settings.deadline_seconds + SETTLING_SECONDS,
        )
        # From here on it may be billed, whatever becomes of it; also when nobody waits any more.
        spent = used(tokens, estimated=True)
        async with asyncio.timeout(settings.deadline_seconds):
            numbers, told = await _ask(texts, provider, model)
        if told is not None and told <= 3 * tokens + 64:
            spent = used(told, estimated=False)
        _check(numbers)
        outcome = "answered"
    except TimeoutError as error:
        raise ModelMisconfigured("The provider of vectors did not answer in time.") from error
    except Problem as problem:
        if not billed(problem):
            spent = Used(model)
        raise
    except asyncio.CancelledError:
        outcome = "left"
        raise
    finally:
        await settling.booked(reservation, spent, outcome)
        if booked is not None:
            booked(spent)
    return numbers


async def _ask(
    texts: Sequence[str], provider: str, model: str
) -> tuple[list[list[float]], int | None]:
    settings = LLMSettings.load()
    wire = _wire(settings, provider)
    return await wire.embed(model, texts, settings.embedding_dimensions)


def _check(vectors: list[list[float]]) -> None:
    if len(vectors[0]) > MOST_NUMBERS:
        raise TooManyNumbers(
            f"LLM_EMBEDDING_MODEL gives {len(vectors[0]):,} numbers, more than the {MOST_NUMBERS:,}"
            " that are kept. Ask for fewer with LLM_EMBEDDING_DIMENSIONS, or take another model."
        )


def _wire(settings: LLMSettings, provider: str) -> "OpenAIWire":
    # The client is only imported where a provider is reached over HTTP.
    from app.llm.providers import load
    from app.llm.providers.openai_wire import OpenAIWire

    if settings.embedding_base_url:
        return OpenAIWire(
            name=provider,
            base_url=settings.embedding_base_url,
            model=settings.embedding_model,
            # The model's key is for the model's address only.
            key=settings.embedding_api_key.get_secret_value(),
            settings_prefix="LLM_EMBEDDING_",
            connect_seconds=settings.connect_seconds,
        )
    wire = load(settings.chosen).create(settings)
    if not isinstance(wire, OpenAIWire):
        raise ModelMisconfigured("LLM_EMBEDDING_BASE_URL must be set for this provider.")
    return wire
