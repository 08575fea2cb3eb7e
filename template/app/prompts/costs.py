"""How long a prompt is and what it costs, with the model that answers now."""

from dataclasses import dataclass

from app.llm.port import Message
from app.llm.steps import routing
from app.usage.prices import MILLION, price_of

CALLS = 1000


@dataclass(frozen=True, slots=True)
class Cost:
    model: str
    tokens: int
    microdollars: int
    """For a thousand calls, nothing of it cached by the provider."""
    price_known: bool
    """When not, the dearest price was taken."""
    stand_in: bool


def cost_of(text: str) -> Cost:
    """Variables are counted by their names; what they stand for is mostly as short."""
    provider = routing.provider()
    tokens = provider.count([Message("system", text)])
    price = price_of(provider.price_list, provider.model)
    microdollars = -(-tokens * CALLS * price.input // MILLION)
    return Cost(provider.model, tokens, microdollars, price.known, provider.stand_in)
