"""Tell reviewers what somebody waits for and what is overdue, give back what was left, forget."""

from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.core.clock import now
from app.core.db import transaction
from app.core.retention import delete_old
from app.jobs.queue import every, task
from app.mail import links
from app.mail import service as mail
from app.review.models import ReviewItem, ReviewLook
from app.review.settings import PRIORITIES, ReviewSettings
from app.users.entitled import entitled
from app.users.models import Organization

QUIET = timedelta(hours=1)


@every("*/5 * * * *")
@task("review.announce", retries=2)
async def announce() -> None:
    """Mail those who review that somebody waits for a person; at most once an hour."""
    lately = select(ReviewLook.organization_id).where(ReviewLook.announced_at > now() - QUIET)
    async with transaction(elevated=True) as db:
        found = await _mark(
            db,
            ReviewLook.state == "waiting",
            ReviewLook.priority >= PRIORITIES["asked"],
            ReviewLook.announced_at.is_(None),
            ReviewLook.organization_id.not_in(lately),
            announced_at=now(),
        )
        for organization_id, count in found.items():
            await _tell(db, organization_id, "review/waiting", count, page="/review")


@every("*/10 * * * *")
@task("review.tell_overdue", retries=2)
async def tell_overdue() -> None:
    """Mail those who review, once for each look that nobody had in time."""
    async with transaction(elevated=True) as db:
        late = await _mark(
            db,
            ReviewLook.state != "done",
            ReviewLook.due_at <= now(),
            ReviewLook.told_at.is_(None),
            told_at=now(),
        )
        for organization_id, count in late.items():
            await _tell(db, organization_id, "review/overdue", count, page="/review?show=overdue")
            await audit.record(
                db, "review.overdue", organization_id=organization_id, detail={"looks": count}
            )


async def _mark(db: AsyncSession, *which: ColumnElement[bool], **values: datetime) -> Counter[UUID]:
    """Of several workers that see it at once, one tells it; how many by organisation."""
    marked = await db.scalars(
        update(ReviewLook)
        .where(*which)
        .values(**values)
        .returning(ReviewLook.organization_id)
        .execution_options(synchronize_session=False)
    )
    return Counter(marked)


async def _tell(
    db: AsyncSession, organization_id: UUID, letter: str, count: int, *, page: str
) -> None:
    organization = await db.get_one(Organization, organization_id)
    for one in await entitled(db, organization_id, "review.work"):
        await mail.send(
            db,
            one.email,
            letter,
            name=one.display_name,
            organization=organization.name,
            count=count,
            link=links.to(page, api=f"/api{page}"),
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
    await delete_old(ReviewItem, ReviewItem.created_at < limit)
