"""That something is decided is told in the transaction that decides it.

A module that goes on then has `approval_decided.py` with

    async def decided(db, approval) -> None       in whoever's transaction it is: write a job
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.modules import parts


@dataclass(frozen=True, slots=True)
class Decided:
    """An approval of which it is known what became of it."""

    id: UUID
    organization_id: UUID
    user_id: UUID
    """Who asked."""
    conversation_id: UUID | None


async def tell(db: AsyncSession, approval: Decided) -> None:
    for part in parts("approval_decided"):
        await part.decided(db, approval)
