"""Give feedback, and find what was given."""

from collections.abc import Collection
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


class NoSuchCall(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such answer.")


async def give(
    db: AsyncSession, person: Person, call_id: UUID, rating: str, comment: str = ""
) -> Feedback:
    """Keep what someone says of an answer of their own; what they said before is replaced."""
    owner = await db.scalar(select(UsageRecord.user_id).where(UsageRecord.id == call_id))
    if owner != person.user_id:
        raise NoSuchCall
    values = {"rating": rating, "comment": comment, "updated_at": func.now()}
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


async def ratings(db: AsyncSession, person: Person, call_ids: Collection[UUID]) -> dict[UUID, str]:
    """What someone thinks of these answers, as far as they have said."""
    query = select(Feedback.call_id, Feedback.rating).where(
        Feedback.user_id == person.user_id, Feedback.call_id.in_(call_ids)
    )
    return {row.call_id: row.rating for row in await db.execute(query)}
