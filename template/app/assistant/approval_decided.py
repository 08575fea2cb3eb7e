"""What is written down when something is decided that a conversation waits for."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.jobs.queue import enqueue
from app.tools.decided import Decided


async def decided(db: AsyncSession, approval: Decided) -> None:
    if approval.conversation_id is None:
        return
    await enqueue(
        db,
        "assistant.go_on",
        approval_id=approval.id,
        organization_id=approval.organization_id,
        user_id=approval.user_id,
    )
