"""Ask for a person: whoever got an answer wants someone to look at it."""

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.errors import Conflict, NotFound
from app.core.ids import uuid7
from app.modules import parts
from app.review.models import ReviewItem, ReviewLook
from app.review.outcome import Said
from app.review.queueing import deadline
from app.review.settings import PRIORITIES
from app.usage.models import UsageRecord


class NoSuchAnswer(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such answer.")


class LookedAtAlready(Conflict):
    """A person has said what they think of this answer."""

    def __init__(self) -> None:
        super().__init__("A person has looked at this answer already.")


async def ask(db: AsyncSession, person: Person, call_id: UUID, comment: str) -> ReviewItem:
    """Queue an answer of one's own; what waits already comes sooner. Asking again changes nothing.

    Raises `NoSuchAnswer` or `LookedAtAlready`.
    """
    call = await db.get(UsageRecord, call_id)
    if call is None or call.user_id != person.user_id:
        raise NoSuchAnswer
    said = await _said(db, call_id)
    if said is None:
        raise NoSuchAnswer
    await _lock(db, call_id)
    item = await db.scalar(select(ReviewItem).where(ReviewItem.call_id == call_id))
    if item is None:
        item = _item(person, call, said, comment)
        db.add(item)
        await db.flush()
        db.add(_look(item))
    elif item.verdict:
        raise LookedAtAlready
    elif PRIORITIES[item.reason] < PRIORITIES["asked"]:
        item.reason, item.comment = "asked", comment
        await _hurry(db, item)
    else:
        return item
    await audit.record(
        db,
        "review.asked_for",
        person=person,
        target=call_id,
        detail={"feature": call.feature},
    )
    return item


async def _said(db: AsyncSession, call_id: UUID) -> Said | None:
    for part in parts("reviewed"):
        found: Said | None = await part.said(db, call_id)
        if found is not None:
            return found
    return None


async def _lock(db: AsyncSession, call_id: UUID) -> None:
    """Two who ask at once for the same answer ask one after the other."""
    await db.execute(select(func.pg_advisory_xact_lock(call_id.int & ((1 << 62) - 1))))


def _item(person: Person, call: UsageRecord, said: Said, comment: str) -> ReviewItem:
    found = said.details.get("confidence") or {}
    return ReviewItem(
        id=uuid7(),
        organization_id=person.organization_id,
        user_id=person.user_id,
        call_id=call.id,
        feature=call.feature,
        model=call.model,
        prompt=call.prompt,
        prompt_version=call.prompt_version,
        reason="asked",
        sampled=False,
        withheld=False,
        question=said.question,
        answer=said.answer,
        sources=said.details.get("sources") or [],
        guards={},
        confidence=found.get("score"),
        signals=found.get("signals", []),
        comment=comment,
        verdict="",
        correction="",
        note="",
    )


def _look(item: ReviewItem) -> ReviewLook:
    return ReviewLook(
        id=uuid7(),
        organization_id=item.organization_id,
        item_id=item.id,
        number=1,
        priority=PRIORITIES["asked"],
        due_at=deadline("asked"),
        state="waiting",
    )


async def _hurry(db: AsyncSession, item: ReviewItem) -> None:
    sooner = func.least(ReviewLook.due_at, deadline("asked"))
    await db.execute(
        update(ReviewLook)
        .where(ReviewLook.item_id == item.id, ReviewLook.state != "done")
        .values(priority=PRIORITIES["asked"], due_at=sooner)
        .execution_options(synchronize_session=False)
    )
