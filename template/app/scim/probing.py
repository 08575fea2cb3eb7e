"""That an address has an account elsewhere is told to a directory, and to nobody who asks around.

RFC 7644 wants 409 for it. Each new address that is refused counts; after so many in a day nothing
is made any more, whatever the address, so that the refusal itself tells nothing. See decision 20.
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


async def count(organization_id: UUID, email: str) -> None:
    """An address is refused; a directory that tries it again counts once a day."""
    try:
        await take(f"{_key(organization_id)}:{email.lower()}", ONCE)
    except RateLimited:
        return
    await take(_key(organization_id), PER_DAY)
    # The caller's transaction is rolled back with the refusal.
    async with transaction(organization_id=organization_id) as db:
        await audit.record(db, "scim.address_refused", organization_id=organization_id)


def _key(organization_id: UUID) -> str:
    return f"scim-elsewhere:{organization_id}"
