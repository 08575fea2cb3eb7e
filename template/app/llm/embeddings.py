"""Vectors of texts, from the provider that LLM_EMBEDDING_MODEL names: reserved, called, settled.

Without one, a laptop gets vectors that no model made (`extractive/vectors.py`).
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from app.core.direct import direct
from app.core.errors import Problem
from app.core.ids import uuid7
from app.flags import switches
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
) -> list[list[float]]:
    """One vector for each text, perhaps without a direction. Raises a Problem.

    No transaction is open meanwhile.
    """
    provider, _, name = (model or chosen()).partition("/")
    if f"{provider}/{name}" == STAND_IN:
        return await asyncio.to_thread(stand_in.vectors, texts)
    await switches.check(feature, organization_id=organization_id, who=user_id)
    kind = f"{provider}/{name}/{LLMSettings.load().embedding_dimensions or ''}"
    known: dict[str, Sequence[float]] = {}
    for store in parts("vector_store"):
        known |= await store.find(organization_id, kind, texts)
    unknown = [one for one in dict.fromkeys(texts) if one not in known]
    for start in range(0, len(unknown), AT_ONCE):
        some = unknown[start : start + AT_ONCE]
        made = await _embed(some, provider, name, organization_id, user_id, feature)
        for store in parts("vector_store"):
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
) -> list[list[float]]:
    settings = LLMSettings.load()
    price = price_of(provider, model)
    tokens = sum(map(estimated_tokens, texts))
    reservation = Reservation(
        uuid7(), organization_id, user_id, feature, provider, tokens, price.cost(tokens, 0)
    )
    await usage.reserve(
        reservation,
        model=model,
        price_known=price.known,
        seconds=settings.deadline_seconds + SETTLING_SECONDS,
    )
    used, outcome = Used(model), "failed"
    try:
        async with asyncio.timeout(settings.deadline_seconds):
            numbers, told = await _ask(texts, provider, model)
        counted = tokens if told is None or told > 3 * tokens + 64 else told
        used = Used(
            model,
            counted,
            microdollars=price.cost(counted, 0),
            estimated=told is None,
            price_known=price.known,
        )
        outcome = "answered"
    except TimeoutError as error:
        used = Used(model, tokens, microdollars=price.cost(tokens, 0), estimated=True)
        raise ModelMisconfigured("The provider of vectors did not answer in time.") from error
    except Problem as problem:
        if billed(problem):
            used = Used(model, tokens, microdollars=price.cost(tokens, 0), estimated=True)
        raise
    finally:
        async with direct(organization_id=organization_id, user_id=user_id) as db:
            await usage.settle(db, reservation, used, outcome)
    return numbers


async def _ask(
    texts: Sequence[str], provider: str, model: str
) -> tuple[list[list[float]], int | None]:
    settings = LLMSettings.load()
    wire = _wire(settings, provider)
    vectors, told = await wire.embed(model, texts, settings.embedding_dimensions)
    if len(vectors[0]) > MOST_NUMBERS:
        raise ModelMisconfigured(
            f"LLM_EMBEDDING_MODEL gives {len(vectors[0]):,} numbers, more than the {MOST_NUMBERS:,}"
            " that are kept. Ask for fewer with LLM_EMBEDDING_DIMENSIONS, or take another model."
        )
    return vectors, told


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
