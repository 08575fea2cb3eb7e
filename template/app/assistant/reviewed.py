"""What people decided of an answer, where it stands. Row security limits it to who asked."""

from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.assistant.models import Conversation, Message
from app.review.outcome import Reviewed, Said


async def deliver(db: AsyncSession, reviewed: Reviewed) -> str:
    """Nothing happens when the conversation was deleted meanwhile."""
    answer = await _answer(db, reviewed.call_id)
    if answer is None:
        return ""
    if reviewed.text is not None:
        answer.text = reviewed.text
        answer.state = "withheld" if reviewed.withheld else "complete"
    told: dict[str, Any] = {"state": reviewed.verdict, "note": reviewed.note}
    answer.details = answer.details | {"review": told}
    await db.flush()
    if reviewed.text is not None:
        await _forget_summary(db, answer)
    if reviewed.verdict == "corrected":
        # Somebody else's words from now on, which the model reads as its own.
        await db.execute(
            update(Conversation)
            .where(Conversation.id == answer.conversation_id)
            .values(tainted=True)
            .execution_options(synchronize_session=False)
        )
    return f"/chat/{answer.conversation_id}"


async def said(db: AsyncSession, call_id: UUID) -> Said | None:
    answer = await _answer(db, call_id)
    if answer is None:
        return None
    question = await db.scalar(
        select(Message.text).where(Message.turn_id == answer.turn_id, Message.role != "assistant")
    )
    if "review" not in answer.details:
        answer.details = answer.details | {"review": {"state": "waiting", "reason": "asked"}}
        await db.flush()
    return Said(question or "", answer.text, answer.details)


async def _answer(db: AsyncSession, call_id: UUID) -> Message | None:
    return await db.scalar(
        select(Message).where(Message.call_id == call_id, Message.role == "assistant")
    )


async def _forget_summary(db: AsyncSession, answer: Message) -> None:
    """One that holds what the answer was is made anew when it is needed."""
    await db.execute(
        update(Conversation)
        .where(
            Conversation.id == answer.conversation_id,
            Conversation.memory_until >= answer.turn_id,
        )
        .values(memory="", memory_until=None)
        .execution_options(synchronize_session=False)
    )
