"""What a training costs is set aside before anything is sent, and booked when it is over.

Money only: quotas of tokens are for answers, and nobody waits for this one.
"""

from datetime import UTC, date, timedelta

from app.core.db import transaction
from app.llm import settling
from app.llm.port import BYTES_PER_TOKEN
from app.monitoring.models import Decision
from app.monitoring.settings import TuningSettings
from app.usage import service as usage
from app.usage.models import UsageRecord
from app.usage.prices import Price, price_of
from app.usage.service import Reservation, Used

FEATURE = "monitoring.training"
PROVIDER = "fine-tuning"
# How often a provider reads the examples is its own choice: few of them more often.
LEAST_EPOCHS, MOST_EPOCHS, ENOUGH = 3, 25, 100
LONGEST = timedelta(days=14)


async def set_aside(one: Decision, content: bytes, examples: int) -> None:
    """Once for a decision. Raises `BudgetSpent`, and then nothing may be sent."""
    async with transaction(organization_id=one.organization_id) as db:
        if await db.get(UsageRecord, one.id) is not None:
            return
    epochs = min(MOST_EPOCHS, max(LEAST_EPOCHS, -(-ENOUGH // examples)))
    price = _price()
    most = price.cost(-(-len(content) // BYTES_PER_TOKEN) * epochs, 0)
    await usage.reserve(
        _reservation(one, most),
        model=TuningSettings.load().model,
        price_known=price.known,
        seconds=LONGEST.total_seconds(),
    )


async def book(one: Decision, tokens: int | None) -> None:
    """Once, however often asked. None: it was trained, and nobody says with how many tokens."""
    async with transaction(organization_id=one.organization_id) as db:
        found = await db.get(UsageRecord, one.id)
    if found is None:
        return
    price, model = _price(found.created_at.astimezone(UTC).date()), TuningSettings.load().model
    cost = found.reserved_microdollars if tokens is None else price.cost(tokens, 0)
    spent = Used(model, microdollars=cost, estimated=tokens is None, price_known=price.known)
    reservation = _reservation(one, found.reserved_microdollars)
    await settling.booked(reservation, spent, "answered" if cost else "failed")


def _price(day: date | None = None) -> Price:
    return price_of(PROVIDER, f"training:{TuningSettings.load().model}", day=day)


def _reservation(one: Decision, most: int) -> Reservation:
    return Reservation(one.id, one.organization_id, None, FEATURE, PROVIDER, 0, most)
