"""Conversations and what was said in them. Row security limits all of it to the person's own."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.assistant.models import Conversation, Message
from app.core.errors import Invalid, NotFound


class NoSuchConversation(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such conversation.")


async def conversations(
    db: AsyncSession, *, after: str | None = None, limit: int = 30
) -> tuple[Sequence[Conversation], str | None]:
    """The latest conversations first, and where the next page starts, if there is one."""
    query = select(Conversation).order_by(Conversation.updated_at.desc(), Conversation.id.desc())
    if after:
        query = query.where(tuple_(Conversation.updated_at, Conversation.id) < _place(after))
    found = (await db.scalars(query.limit(limit + 1))).all()
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    moment = last.updated_at.astimezone(UTC).replace(tzinfo=None).isoformat()
    return found[:limit], f"{moment}Z_{last.id}"


def _place(after: str) -> tuple[datetime, UUID]:
    moment, _, conversation_id = after.partition("_")
    try:
        return datetime.fromisoformat(moment), UUID(conversation_id)
    except ValueError as error:
        raise Invalid("`after` is what another page says as `next`.") from error


async def create(db: AsyncSession, person: Person, title: str = "") -> Conversation:
    made = Conversation(organization_id=person.organization_id, user_id=person.user_id, title=title)
    db.add(made)
    await db.flush()
    return made


async def conversation(db: AsyncSession, conversation_id: UUID) -> Conversation:
    found = await db.get(Conversation, conversation_id)
    if found is None:
        raise NoSuchConversation
    return found


async def is_answering(db: AsyncSession, conversation_id: UUID) -> bool:
    """By the clock that reserved it."""
    until = select(Conversation.answering_until > func.clock_timestamp())
    return bool(await db.scalar(until.where(Conversation.id == conversation_id)))


async def rename(db: AsyncSession, conversation_id: UUID, title: str) -> Conversation:
    found = await conversation(db, conversation_id)
    found.title = title
    return found


async def remove(db: AsyncSession, conversation_id: UUID) -> None:
    """Delete a conversation with all that was said in it."""
    await db.delete(await conversation(db, conversation_id))


async def messages(
    db: AsyncSession, conversation_id: UUID, *, before: UUID | None = None, turns: int = 50
) -> tuple[Sequence[Message], UUID | None]:
    """The newest turns, oldest first; and the `before` of the page in front, if there is one."""
    wanted = (
        select(Message.turn_id)
        .where(Message.conversation_id == conversation_id, Message.role != "assistant")
        .order_by(Message.turn_id.desc())
        .limit(turns + 1)
    )
    if before:
        wanted = wanted.where(Message.turn_id < before)
    query = select(Message).where(Message.turn_id.in_(wanted))
    # Descending, because in the alphabet "assistant" stands before "user".
    found = (await db.scalars(query.order_by(Message.turn_id, Message.role.desc()))).all()
    ids = sorted({one.turn_id for one in found})
    if len(ids) <= turns:
        return found, None
    return [one for one in found if one.turn_id != ids[0]], ids[1]


async def forget_older(db: AsyncSession, organization_id: UUID, limit: datetime) -> int:
    """Delete an organisation's conversations last used before `limit`; as app_auth."""
    gone = await db.scalars(
        delete(Conversation)
        .where(Conversation.organization_id == organization_id, Conversation.updated_at < limit)
        .returning(Conversation.id)
    )
    return len(gone.all())
