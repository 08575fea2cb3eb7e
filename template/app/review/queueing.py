"""How looks come into the queue, and until when someone should have looked."""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import now
from app.core.ids import uuid7
from app.review.models import ReviewItem, ReviewLook
from app.review.settings import PRIORITIES, ReviewSettings


def deadline(reason: str) -> datetime:
    return now() + timedelta(hours=ReviewSettings.load().hours_for(reason))


async def look_again(db: AsyncSession, item: ReviewItem, number: int) -> None:
    """Let someone else look, too: for a second opinion, or for a third when those differ."""
    hours = ReviewSettings.load().second_hours
    db.add(
        ReviewLook(
            id=uuid7(),
            organization_id=item.organization_id,
            item_id=item.id,
            number=number,
            # The third one decides what someone may be waiting for.
            priority=PRIORITIES["asked" if number > 2 else "sampled"],
            due_at=now() + timedelta(hours=hours),
            state="waiting",
        )
    )
    await db.flush()
