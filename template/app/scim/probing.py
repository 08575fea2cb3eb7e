"""That an address has an account elsewhere is told to a directory, and to nobody who asks around.

Who is asked is inactive at first, and other addresses are refused: both tell it. Each new address
counts; after so many in a day nothing is made any more, whatever the address. See decision 20.
"""

from uuid import UUID

from app.audit import service as audit
from app.core.db import transaction
from app.limits.service import Rate, RateLimited, left, take

PER_DAY = Rate(50, 86_400, strict=True)
ONCE = Rate(1, 86_400, strict=True)


async def must_be_left(organization_id: UUID) -> None:
    """Before an address is looked up. Raises `RateLimited`."""
    if await left(_key(organization_id), PER_DAY) < 1:
        raise RateLimited(retry_after=PER_DAY.spacing)


async def count(organization_id: UUID, email: str, *, refused: bool = True) -> None:
    """An address belongs elsewhere; a directory that tries it again counts once a day."""
    try:
        await take(f"{_key(organization_id)}:{email.lower()}", ONCE)
    except RateLimited:
        return
    await take(_key(organization_id), PER_DAY)
    if not refused:
        return
    # The caller's transaction is rolled back with the refusal.
    async with transaction(organization_id=organization_id) as db:
        await audit.record(db, "scim.address_refused", organization_id=organization_id)


def _key(organization_id: UUID) -> str:
    return f"scim-elsewhere:{organization_id}"
