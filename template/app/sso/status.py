"""Whether the providers that are set up answer, for administrators."""

import asyncio
from dataclasses import dataclass

from app.core.errors import Unavailable
from app.sso import discovery, providers
from app.sso.providers import Provider


@dataclass(frozen=True)
class Status:
    provider: Provider
    answers: bool
    domains: list[str]


async def of_providers() -> list[Status]:
    """All at once: a slow one must not hold the others up."""
    found = providers.configured()
    answers = await asyncio.gather(*map(_answers, found))
    return [
        Status(provider, answer, sorted(provider.domains))
        for provider, answer in zip(found, answers, strict=True)
    ]


async def _answers(provider: Provider) -> bool:
    if provider.github:
        return True  # it has no discovery to ask
    try:
        await discovery.metadata(provider)
    except Unavailable:
        return False
    return True
