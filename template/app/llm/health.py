from app.core.health import connects
from app.llm.steps.routing import provider

ESSENTIAL = False  # everything but answers works without a model


async def check() -> None:
    """Something listens where the model answers. Nothing is asked, so nothing is paid."""
    if address := getattr(provider(), "address", None):
        await connects(address)
