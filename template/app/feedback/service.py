"""Give feedback, and find what was given."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.errors import NotFound
from app.core.ids import uuid7
from app.feedback.models import Feedback
from app.usage.models import UsageRecord
from app.users.models import User


class NoSuchCall(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such answer.")


async def give(
    db: AsyncSession,
    person: Person,
    call_id: UUID,
    rating: str,
    comment: str = "",
    correction: str = "",
) -> Feedback:
    """Keep what someone says of an answer of their own; what they said before is replaced."""
    owner = await db.scalar(select(UsageRecord.user_id).where(UsageRecord.id == call_id))
    if owner != person.user_id:
        raise NoSuchCall
    values = {
        "rating": rating,
        "comment": comment,
        "correction": correction,
        "updated_at": func.now(),
    }
    given = await db.scalar(
        insert(Feedback)
        .values(
            id=uuid7(),
            organization_id=person.organization_id,
            user_id=person.user_id,
            call_id=call_id,
            **values,
        )
        .on_conflict_do_update(constraint="uq_feedback_user_id_call_id", set_=values)
        .returning(Feedback)
        .execution_options(populate_existing=True)
    )
    assert given is not None
    await audit.record(
        db, "feedback.given", person=person, target=call_id, detail={"rating": rating}
    )
    return given


@dataclass(frozen=True)
class Given:
    """What someone said, and of what kind of answer."""

    id: UUID
    call_id: UUID
    user_id: UUID
    display_name: str
    rating: str
    comment: str
    correction: str
    updated_at: datetime
    feature: str
    model: str
    prompt: str
    prompt_version: int | None


async def given(
    db: AsyncSession, *, rating: str = "", before: UUID | None = None, most: int = 50
) -> tuple[list[Given], UUID | None]:
    """What was said in the organisation, the newest first, and where the next page begins."""
    query = (
        select(
            Feedback.id,
            Feedback.call_id,
            Feedback.user_id,
            User.display_name,
            Feedback.rating,
            Feedback.comment,
            Feedback.correction,
            Feedback.updated_at,
            UsageRecord.feature,
            UsageRecord.model,
            UsageRecord.prompt,
            UsageRecord.prompt_version,
        )
        .join(UsageRecord, UsageRecord.id == Feedback.call_id)
        .join(User, User.id == Feedback.user_id)
        .order_by(Feedback.id.desc())
        .limit(most + 1)
    )
    if rating:
        query = query.where(Feedback.rating == rating)
    if before:
        query = query.where(Feedback.id < before)
    found = [Given(**row) for row in (await db.execute(query)).mappings()]
    return found[:most], found[most - 1].id if len(found) > most else None


async def ratings(db: AsyncSession, person: Person, call_ids: Collection[UUID]) -> dict[UUID, str]:
    """What someone thinks of these answers, as far as they have said."""
    query = select(Feedback.call_id, Feedback.rating).where(
        Feedback.user_id == person.user_id, Feedback.call_id.in_(call_ids)
    )
    return {row.call_id: row.rating for row in await db.execute(query)}
