from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, false, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import holds
from app.core.db import Base


class Conversation(Base):
    """Row-level security shows it to nobody but the person whose it is."""

    __tablename__ = "conversations"
    __data__ = holds(words="title memory", kept="assistant.forget_old")
    __table_args__ = (Index("ix_conversations_user_id_updated_at", "user_id", "updated_at"),)

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(120), default="")
    """Empty until the first question gives it one."""
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """When something was last said."""
    tainted: Mapped[bool] = mapped_column(server_default=false())
    """It holds words of documents or tools: from then on, tools only read here."""
    memory: Mapped[str] = mapped_column(default="")
    """What was said in messages that fit the model's window no more, summarised."""
    memory_until: Mapped[UUID | None]
    """The last turn that is in it."""
    answering: Mapped[UUID | None]
    """Who writes an answer: one at a time."""
    answering_until: Mapped[datetime | None]
    """Said anew while it is written, so that a server that dies blocks no longer than this."""


class Message(Base):
    __tablename__ = "messages"
    __data__ = holds(
        words="text metadata", plain="role state idempotency_key", kept="assistant.forget_old"
    )
    __table_args__ = (
        UniqueConstraint("turn_id", "role"),
        UniqueConstraint("conversation_id", "idempotency_key"),
        Index("ix_messages_conversation_id_turn_id", "conversation_id", "turn_id"),
        CheckConstraint("role IN ('user', 'event', 'assistant')", name="role"),
        CheckConstraint("state IN ('complete', 'interrupted', 'withheld')", name="state"),
    )

    conversation_id: Mapped[UUID] = mapped_column(
        ForeignKey("conversations.id", ondelete="CASCADE")
    )
    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    turn_id: Mapped[UUID]
    """A question and its answer share it; it is the question's id."""
    role: Mapped[str] = mapped_column(String(10))
    """An `event` is a sentence of the app where a turn begins without a question."""
    text: Mapped[str]
    state: Mapped[str] = mapped_column(String(12), default="complete")
    """An answer that broke off is `interrupted`, one that a guard stopped is `withheld`."""
    idempotency_key: Mapped[str | None] = mapped_column(String(64))
    """A question that is sent again with the same key stays one question."""
    call_id: Mapped[UUID | None]
    """The model call that made the answer, as usage and feedback know it."""
    details: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, default=dict)
    """Of an answer: model, stand_in, finish_reason, sources. Of an event: what it is about."""
