from app.core.health import connects
from app.llm.steps.routing import fallback, provider

ESSENTIAL = False  # everything but answers works without a model


async def check() -> None:
    """Something listens where models answer, the second one too. Nothing is asked or paid."""
    for one in (provider(), fallback()):
        if address := getattr(one, "address", None):
            await connects(address)
