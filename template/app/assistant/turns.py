"""A turn: a question and its answer, each stored in a short transaction beside the model call."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import Table, Update, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.assistant import service
from app.assistant.models import Conversation, Message
from app.core.clock import now
from app.core.errors import Conflict, Invalid
from app.core.ids import uuid7
from app.llm import port
from app.llm.settings import LLMSettings
from app.llm.streaming import Outcome

MESSAGES_TO_REMEMBER = 400
TITLE_CHARACTERS = 60
# Twice for each question: the table's own statement costs half of what the mapper's does.
ADD = insert(cast("Table", Message.__table__))


class StillAnswering(Conflict):
    """One answer is written at a time, so that each knows what was said before."""


class KeyUsedBefore(Invalid):
    """The idempotency key belongs to another question."""


@dataclass(frozen=True)
class Turn:
    """A question on its way to an answer."""

    id: UUID
    conversation_id: UUID
    question: str
    history: Sequence[port.Message]
    answer: Message | None
    """What there is of an answer from before, when the same question was sent again."""

    @property
    def is_answered(self) -> bool:
        return self.answer is not None and self.answer.state != "interrupted"


async def begin(
    db: AsyncSession, person: Person, conversation_id: UUID, text: str, key: str | None = None
) -> Turn:
    """Store a question. Sent again with the same `key` it stays one question."""
    title = await _take(db, conversation_id)
    question, answer = await _asked_before(db, conversation_id, key) if key else (None, None)
    if question is not None and question.text != text:
        raise KeyUsedBefore("This Idempotency-Key was used for another question.")
    turn_id = question.turn_id if question else uuid7()
    # A conversation gets its title with its first answer: without one there is no history.
    history = await _history(db, conversation_id, turn_id) if title else ()
    turn = Turn(turn_id, conversation_id, text, history, answer)
    if question is None:
        await _add(db, person, turn, id=turn_id, role="user", text=text, idempotency_key=key)
    if turn.is_answered:
        await db.execute(_released(turn))
    return turn


async def keep(db: AsyncSession, person: Person, turn: Turn, outcome: Outcome) -> None:
    """Store what became of the answer; a retry takes the place of one that broke off."""
    release = _released(turn)
    if outcome.state != "refused":
        title = func.coalesce(func.nullif(Conversation.title, ""), title_of(turn.question))
        release = release.values(updated_at=now(), title=title)
    if await db.scalar(release.returning(Conversation.id)) is None:
        return  # Deleted meanwhile.
    if outcome.state == "refused" and turn.answer is None:
        # What may not be asked is not kept either.
        await db.execute(delete(Message).where(Message.turn_id == turn.id))
    if not outcome.text:  # No word is no answer: the question stays open for a retry.
        return
    if turn.answer is not None:
        await db.execute(delete(Message).where(Message.id == turn.answer.id))
    await _add(
        db,
        person,
        turn,
        role="assistant",
        text=outcome.text,
        state=outcome.state,
        call_id=outcome.done and outcome.done.call_id,
        metadata=outcome.details,
    )


async def _take(db: AsyncSession, conversation_id: UUID) -> str:
    """Reserve the conversation for one answer, and tell its title."""
    # Who dies while answering blocks it no longer than a call may last.
    longest = timedelta(seconds=LLMSettings.load().deadline_seconds + 30)
    moment = now()
    query = (
        update(Conversation)
        .where(Conversation.id == conversation_id)
        .where(or_(Conversation.answering_until.is_(None), Conversation.answering_until <= moment))
        .values(answering_until=moment + longest)
        .returning(Conversation.title)
    )
    title = await db.scalar(query)
    if title is None:
        await service.conversation(db, conversation_id)
        raise StillAnswering("An answer is still being written here. Please wait for it.")
    return title


def _released(turn: Turn) -> Update:
    query = update(Conversation).where(Conversation.id == turn.conversation_id)
    return query.values(answering_until=None)


async def _add(db: AsyncSession, person: Person, turn: Turn, **values: object) -> None:
    whose = {"organization_id": person.organization_id, "user_id": person.user_id}
    place = {"conversation_id": turn.conversation_id, "turn_id": turn.id}
    await db.execute(ADD, whose | place | values)


def title_of(question: str) -> str:
    """The beginning of a question, cut between two words."""
    line = " ".join(question.split())
    if len(line) <= TITLE_CHARACTERS:
        return line
    cut = line[:TITLE_CHARACTERS]
    return (cut.rpartition(" ")[0] or cut) + " …"


async def _asked_before(
    db: AsyncSession, conversation_id: UUID, key: str
) -> tuple[Message | None, Message | None]:
    """The question with this key, and its answer, as far as they are there."""
    turn = select(Message.turn_id).where(
        Message.conversation_id == conversation_id, Message.idempotency_key == key
    )
    said = await db.scalars(select(Message).where(Message.turn_id.in_(turn)))
    by_role = {one.role: one for one in said}
    return by_role.get("user"), by_role.get("assistant")


async def _history(
    db: AsyncSession, conversation_id: UUID, turn_id: UUID
) -> Sequence[port.Message]:
    """What was said before this turn, oldest first, without what had no answer.

    A question that a guard refused would have every later one refused as well.
    """
    query = (
        select(Message.turn_id, Message.role, Message.text, Message.state)
        .where(Message.conversation_id == conversation_id, Message.turn_id < turn_id)
        .order_by(Message.turn_id.desc(), Message.role)
        .limit(MESSAGES_TO_REMEMBER)
    )
    rows = (await db.execute(query)).all()[::-1]
    answered = {one.turn_id for one in rows if one.role == "assistant" and one.state != "withheld"}
    return [port.Message(one.role, one.text) for one in rows if one.turn_id in answered]
