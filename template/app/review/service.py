"""Take the next one, look at it, say what is to become of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.access.person import Person
from app.audit import service as audit
from app.core.clock import now
from app.core.errors import Conflict, Invalid, NotFound
from app.review import outcome
from app.review.drawing import drawn
from app.review.models import ReviewItem, ReviewLook
from app.review.queueing import look_again
from app.review.settings import ReviewSettings

Pairs = Select[ReviewLook, ReviewItem]


class NothingToReview(NotFound):
    def __init__(self) -> None:
        super().__init__("Nothing waits for you.")


class NoSuchReview(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such review.")


class TakenByOthers(Conflict):
    """Someone else has it, or it is done."""

    def __init__(self) -> None:
        super().__init__("Someone else has taken this, or it is done.")


class NotYours(Conflict):
    """Only who has taken it decides, as long as it is theirs."""

    def __init__(self) -> None:
        super().__init__("This is not yours, or no longer. Please take it again.")


class NothingToApprove(Invalid):
    """No model has answered."""


class CorrectionMissing(Invalid):
    """A corrected answer needs an answer."""


@dataclass(frozen=True)
class Looked:
    """A look with its item, as one person may see it."""

    look: ReviewLook
    item: ReviewItem
    words: bool
    """They may read what was said."""
    verdict: bool
    """They may know what others decided of it."""


def claimable(person: Person) -> ColumnElement[bool]:
    """What waits, or was taken and not finished in time, and is for this person to look at."""
    other = aliased(ReviewLook)
    mine = exists().where(other.item_id == ReviewLook.item_id, other.number < ReviewLook.number)
    fits = and_(
        or_(
            ReviewLook.state == "waiting",
            and_(ReviewLook.state == "claimed", ReviewLook.claimed_until <= now()),
        ),
        ~mine.where(other.claimed_by == person.user_id),
    )
    if ReviewSettings.load().four_eyes:
        return and_(fits, ReviewItem.user_id != person.user_id)
    return fits


async def claim(
    db: AsyncSession, person: Person, *, look_id: UUID | None = None, reason: str = ""
) -> Looked:
    """Take the most pressing one, or a certain one. Of many who ask at once, each gets another."""
    query = select(ReviewLook).join(ReviewItem).where(claimable(person))
    if look_id is not None:
        query = query.where(ReviewLook.id == look_id)
    if reason:
        query = query.where(ReviewItem.reason == reason)
    look = await db.scalar(
        query.order_by(ReviewLook.priority.desc(), ReviewLook.due_at, ReviewLook.id)
        .limit(1)
        .with_for_update(of=ReviewLook, skip_locked=True)
    )
    if look is None:
        if look_id is None:
            raise NothingToReview
        await _look(db, look_id)
        raise TakenByOthers
    look.state, look.claimed_by = "claimed", person.user_id
    look.claimed_until = now() + timedelta(minutes=ReviewSettings.load().claim_minutes)
    item = await db.get_one(ReviewItem, look.item_id)
    await audit.record(
        db,
        "review.claimed",
        person=person,
        target=look.id,
        detail={"call": str(item.call_id), "reason": item.reason},
    )
    return _seen(person, look, item, await _looked_at_again(db, [item.id]))


async def may_claim(db: AsyncSession, person: Person, look_id: UUID) -> bool:
    query = select(ReviewLook.id).join(ReviewItem).where(ReviewLook.id == look_id)
    return await db.scalar(query.where(claimable(person))) is not None


async def release(db: AsyncSession, person: Person, look_id: UUID) -> None:
    """Give it back unfinished."""
    look = await _mine(db, person, look_id)
    look.state, look.claimed_by, look.claimed_until = "waiting", None, None
    await audit.record(db, "review.released", person=person, target=look.id)


async def resolve(
    db: AsyncSession,
    person: Person,
    look_id: UUID,
    *,
    verdict: str,
    correction: str = "",
    note: str = "",
) -> Looked:
    """Say what is to become of it. The first look holds, unless a third one decides otherwise."""
    look = await _mine(db, person, look_id)
    item = await db.get_one(ReviewItem, look.item_id, with_for_update=True)
    if verdict == "corrected" and not correction:
        raise CorrectionMissing(
            "Write what the answer should be.",
            errors={"correction": "Write what the answer should be."},
        )
    if verdict == "approved" and not item.answer:
        raise NothingToApprove("There is no answer to approve: write one, or reject the question.")
    look.verdict, look.note = verdict, note
    look.correction = correction if verdict == "corrected" else ""
    look.state, look.claimed_until, look.done_at = "done", None, now()
    await db.flush()
    await _go_on(db, person, item, look)
    await audit.record(
        db,
        "review.resolved",
        person=person,
        target=look.id,
        detail={"call": str(item.call_id), "verdict": verdict, "look": look.number},
    )
    return _seen(person, look, item, await _looked_at_again(db, [item.id]))


async def _go_on(db: AsyncSession, person: Person, item: ReviewItem, look: ReviewLook) -> None:
    if look.number == 2:
        first = await db.scalar(
            select(ReviewLook.verdict).where(ReviewLook.item_id == item.id, ReviewLook.number == 1)
        )
        if first != look.verdict:
            await look_again(db, item, 3)
        return
    before = item.verdict, item.correction, item.note
    item.verdict, item.correction, item.note = look.verdict, look.correction, look.note
    if before != (item.verdict, item.correction, item.note):
        item.resolved_at = now()
        await outcome.tell(db, person, item, before=before[0])
    if look.number == 1 and drawn(item.id, ReviewSettings.load().second_share, "second"):
        await look_again(db, item, 2)


async def found(
    db: AsyncSession,
    person: Person,
    *,
    show: str = "open",
    reason: str = "",
    before: UUID | None = None,
    most: int = 50,
) -> tuple[list[Looked], UUID | None]:
    """What waits, the most pressing first; or what is `mine`, `overdue` or `done`."""
    query: Pairs = select(ReviewLook, ReviewItem).join(ReviewItem).limit(most + 1)
    if reason:
        query = query.where(ReviewItem.reason == reason)
    if before and (last := await db.get(ReviewLook, before)):
        query = query.where(_behind(show, last))
    rows = (await db.execute(_shown(query, person, show))).all()
    again = await _looked_at_again(db, [item.id for _, item in rows])
    seen = [_seen(person, look, item, again) for look, item in rows[:most]]
    return seen, rows[most - 1][0].id if len(rows) > most else None


def _shown(query: Pairs, person: Person, show: str) -> Pairs:
    pressing = ReviewLook.priority.desc(), ReviewLook.due_at, ReviewLook.id
    if show == "done":
        return query.where(ReviewLook.state == "done").order_by(ReviewLook.id.desc())
    query = query.where(ReviewLook.state != "done").order_by(*pressing)
    if show == "mine":
        return query.where(ReviewLook.claimed_by == person.user_id)
    return query.where(ReviewLook.due_at <= now()) if show == "overdue" else query


def _behind(show: str, last: ReviewLook) -> ColumnElement[bool]:
    if show == "done":
        return ReviewLook.id < last.id
    later = or_(
        ReviewLook.due_at > last.due_at,
        and_(ReviewLook.due_at == last.due_at, ReviewLook.id > last.id),
    )
    return or_(
        ReviewLook.priority < last.priority, and_(ReviewLook.priority == last.priority, later)
    )


async def shown(db: AsyncSession, person: Person, look_id: UUID) -> Looked:
    """One of them. Who reads words that they did not look at themselves is written down."""
    look = await _look(db, look_id)
    item = await db.get_one(ReviewItem, look.item_id)
    seen = _seen(person, look, item, await _looked_at_again(db, [item.id]))
    if seen.words and look.claimed_by != person.user_id:
        await audit.record(db, "review.read", person=person, target=look.id)
    return seen


async def _looked_at_again(db: AsyncSession, ids: Sequence[UUID]) -> set[UUID]:
    """Items that someone is still to look at, who must not know what others said."""
    query = select(ReviewLook.item_id).where(
        ReviewLook.item_id.in_(ids), ReviewLook.state != "done"
    )
    return set(await db.scalars(query))


def _seen(person: Person, look: ReviewLook, item: ReviewItem, again: set[UUID]) -> Looked:
    """Words are for who has taken it; what is done is for all, once nobody still looks blindly."""
    is_mine = look.claimed_by == person.user_id
    if look.state != "done":
        is_theirs = look.state == "claimed" and is_mine and not _is_over(look)
        return Looked(look, item, words=is_theirs, verdict=False)
    shown = is_mine or item.id not in again
    return Looked(look, item, words=shown, verdict=shown)


def _is_over(look: ReviewLook) -> bool:
    return look.claimed_until is None or look.claimed_until <= now()


async def _look(db: AsyncSession, look_id: UUID) -> ReviewLook:
    look = await db.get(ReviewLook, look_id)
    if look is None:
        raise NoSuchReview
    return look


async def _mine(db: AsyncSession, person: Person, look_id: UUID) -> ReviewLook:
    """Locked, so that what two send at once is decided once."""
    look = await db.get(ReviewLook, look_id, with_for_update=True, populate_existing=True)
    if look is None:
        raise NoSuchReview
    if look.state != "claimed" or look.claimed_by != person.user_id or _is_over(look):
        raise NotYours
    return look
