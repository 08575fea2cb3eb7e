"""A turn: a question and its answer, each stored in a short transaction beside the model call."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select
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

TURNS_TO_REMEMBER = 200
TITLE_CHARACTERS = 60


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
    """Given when the same question was answered before."""


async def begin(
    db: AsyncSession, person: Person, conversation_id: UUID, text: str, key: str | None = None
) -> Turn:
    """Store a question. Sent again with the same `key` it stays one question."""
    conversation = await db.get(Conversation, conversation_id, with_for_update=True)
    if conversation is None:
        raise service.NoSuchConversation
    if is_answering(conversation):
        raise StillAnswering("An answer is still being written here. Please wait for it.")
    answer = None
    question = await _asked_before(db, conversation_id, text, key)
    if question is not None:
        answer = await _complete_answer(db, question.turn_id)
    else:
        question = Message(
            id=(turn_id := uuid7()),
            turn_id=turn_id,
            conversation_id=conversation_id,
            organization_id=person.organization_id,
            user_id=person.user_id,
            role="user",
            text=text,
            idempotency_key=key,
        )
        db.add(question)
    if answer is None:
        # Whoever dies while answering blocks the conversation no longer than a call may last.
        longest = timedelta(seconds=LLMSettings.load().deadline_seconds + 30)
        conversation.answering_until = now() + longest
        conversation.updated_at = now()
    history = await _history(db, conversation_id, question.turn_id)
    return Turn(question.turn_id, conversation_id, text, history, answer)


async def keep(db: AsyncSession, person: Person, turn: Turn, outcome: Outcome) -> None:
    """Store what became of the answer; a retry takes the place of one that broke off."""
    conversation = await db.get(Conversation, turn.conversation_id, with_for_update=True)
    if conversation is None:  # Deleted meanwhile.
        return
    conversation.answering_until = None
    if outcome.state == "refused":
        # What may not be asked is not kept either.
        await db.execute(delete(Message).where(Message.turn_id == turn.id))
        return
    conversation.updated_at = now()
    conversation.title = conversation.title or title_of(turn.question)
    if not outcome.text:  # No word is no answer: the question stays open for a retry.
        return
    await db.execute(delete(Message).where(Message.turn_id == turn.id, Message.role == "assistant"))
    db.add(
        Message(
            turn_id=turn.id,
            conversation_id=turn.conversation_id,
            organization_id=person.organization_id,
            user_id=person.user_id,
            role="assistant",
            text=outcome.text,
            state=outcome.state,
            call_id=outcome.done and outcome.done.call_id,
            details=outcome.details,
        )
    )


def is_answering(conversation: Conversation) -> bool:
    return conversation.answering_until is not None and conversation.answering_until > now()


def unfinished_key(said: Sequence[Message]) -> str | None:
    """The key to ask the last question again with, when it has no whole answer."""
    last = said[-1] if said else None
    if last is None or (last.role == "assistant" and last.state != "interrupted"):
        return None
    return next(one.idempotency_key for one in reversed(said) if one.role == "user")


def title_of(question: str) -> str:
    """The beginning of a question, cut between two words."""
    line = " ".join(question.split())
    if len(line) <= TITLE_CHARACTERS:
        return line
    return line[:TITLE_CHARACTERS].rpartition(" ")[0] + " …"


async def _asked_before(
    db: AsyncSession, conversation_id: UUID, text: str, key: str | None
) -> Message | None:
    if key is None:
        return None
    query = select(Message).where(
        Message.conversation_id == conversation_id, Message.idempotency_key == key
    )
    found = await db.scalar(query)
    if found is not None and found.text != text:
        raise KeyUsedBefore("This Idempotency-Key was used for another question.")
    return found


async def _complete_answer(db: AsyncSession, turn_id: UUID) -> Message | None:
    query = select(Message).where(Message.turn_id == turn_id, Message.role == "assistant")
    return await db.scalar(query.where(Message.state != "interrupted"))


async def _history(
    db: AsyncSession, conversation_id: UUID, turn_id: UUID
) -> Sequence[port.Message]:
    """What was said before this turn, oldest first, without what had no answer.

    A question that a guard refused would have every later one refused as well.
    """
    said, _ = await service.messages(db, conversation_id, before=turn_id, turns=TURNS_TO_REMEMBER)
    answered = {one.turn_id for one in said if one.role == "assistant" and one.state != "withheld"}
    return [
        port.Message("user" if one.role == "user" else "assistant", one.text)
        for one in said
        if one.turn_id in answered
    ]
