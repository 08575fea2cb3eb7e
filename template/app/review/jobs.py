"""Tell reviewers once what is overdue, give back what was taken and left, forget what is old."""

from collections import Counter
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.core.clock import now
from app.core.db import transaction
from app.jobs.queue import every, task
from app.mail import links
from app.mail import service as mail
from app.review.models import ReviewItem, ReviewLook
from app.review.settings import ReviewSettings
from app.users.entitled import entitled
from app.users.models import Organization


@every("*/10 * * * *")
@task("review.tell_overdue", retries=2)
async def tell_overdue() -> None:
    """Mail those who review, once for each look that nobody had in time."""
    async with transaction(elevated=True) as db:
        late = await db.scalars(
            update(ReviewLook)
            .where(
                ReviewLook.state != "done",
                ReviewLook.due_at <= now(),
                ReviewLook.told_at.is_(None),
            )
            .values(told_at=now())
            .returning(ReviewLook.organization_id)
            .execution_options(synchronize_session=False)
        )
        for organization_id, count in Counter(late).items():
            await _tell(db, organization_id, count)


async def _tell(db: AsyncSession, organization_id: UUID, count: int) -> None:
    organization = await db.get_one(Organization, organization_id)
    for one in await entitled(db, organization_id, "review.work"):
        await mail.send(
            db,
            one.email,
            "review/overdue",
            name=one.display_name,
            organization=organization.name,
            count=count,
            link=links.to("/review?show=overdue", api="/api/review?show=overdue"),
        )
    await audit.record(
        db, "review.overdue", organization_id=organization_id, detail={"looks": count}
    )


@every("*/5 * * * *")
@task("review.give_back", retries=1)
async def give_back() -> None:
    """Put what was taken and not finished in time back into the queue."""
    async with transaction(elevated=True) as db:
        given = await db.execute(
            update(ReviewLook)
            .where(ReviewLook.state == "claimed", ReviewLook.claimed_until <= now())
            .values(state="waiting", claimed_by=None, claimed_until=None)
            .returning(ReviewLook.id, ReviewLook.organization_id)
            .execution_options(synchronize_session=False)
        )
        for row in given:
            await audit.record(
                db, "review.given_back", organization_id=row.organization_id, target=row.id
            )


@every("23 3 * * *")
@task("review.forget_old", retries=1)
async def forget_old() -> None:
    """Delete what was asked and answered, open or not, when it is older than it is kept."""
    limit = now() - timedelta(days=ReviewSettings.load().keep_days)
    async with transaction(elevated=True) as db:
        await db.execute(delete(ReviewItem).where(ReviewItem.created_at < limit))
