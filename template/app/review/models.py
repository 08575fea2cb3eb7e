"""What people look at, and each look at it.

The question and its answer are copied here: reviewers never open someone's conversation.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import ORGANIZATION, holds
from app.core.db import Base

REASONS = ("guard", "degraded", "asked", "low_confidence", "sampled")
VERDICTS = ("approved", "corrected", "rejected")


class ReviewItem(Base):
    """One answer that people look at."""

    __tablename__ = "review_items"
    __data__ = holds(
        words="question answer comment correction note sources",
        plain="feature model prompt reason guards signals verdict",
        kept="review.forget_old",
    )
    __table_args__ = (
        UniqueConstraint("call_id"),
        CheckConstraint(f"reason IN {REASONS}", name="reason"),
        CheckConstraint(f"verdict IN {('', *VERDICTS)}", name="verdict"),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    """Who asked."""
    call_id: Mapped[UUID] = mapped_column(ForeignKey("usage_records.id", ondelete="CASCADE"))
    feature: Mapped[str] = mapped_column(String(60))
    model: Mapped[str] = mapped_column(String(200))
    prompt: Mapped[str] = mapped_column(String(80))
    prompt_version: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(String(16))
    sampled: Mapped[bool]
    """Drawn by the share of its feature, whatever else brought it here."""
    withheld: Mapped[bool]
    """Whoever asked has not seen the answer."""
    question: Mapped[str]
    answer: Mapped[str]
    sources: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    guards: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """What the guards noted of the call."""
    confidence: Mapped[int | None] = mapped_column(Integer)
    signals: Mapped[list[str]] = mapped_column(ARRAY(String(20)))
    comment: Mapped[str] = mapped_column(String(2000), default="")
    """What whoever asked for a person said."""
    verdict: Mapped[str] = mapped_column(String(10), default="")
    """Empty until someone has looked; after a third look that one's."""
    correction: Mapped[str] = mapped_column(String(8000), default="")
    note: Mapped[str] = mapped_column(String(2000), default="")
    """For whoever asked."""
    resolved_at: Mapped[datetime | None]


class ReviewLook(Base):
    """One person's look at an item: the first, a second opinion, or a third when those differ."""

    __tablename__ = "review_looks"
    __data__ = holds(words="correction note", plain="state verdict", kept="review.forget_old")
    __table_args__ = (
        UniqueConstraint("item_id", "number"),
        CheckConstraint("number BETWEEN 1 AND 3", name="number"),
        CheckConstraint("state IN ('waiting', 'claimed', 'done')", name="state"),
        CheckConstraint(f"verdict IN {('', *VERDICTS)}", name="verdict"),
        Index(
            "ix_review_looks_open",
            "organization_id",
            text("priority DESC"),
            "due_at",
            "id",
            postgresql_where="state <> 'done'",
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    item_id: Mapped[UUID] = mapped_column(ForeignKey("review_items.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    priority: Mapped[int] = mapped_column(Integer)
    """Higher comes first."""
    due_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(8), default="waiting")
    claimed_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    """Whose it is now, or who did it."""
    claimed_until: Mapped[datetime | None]
    verdict: Mapped[str] = mapped_column(String(10), default="")
    correction: Mapped[str] = mapped_column(String(8000), default="")
    note: Mapped[str] = mapped_column(String(2000), default="")
    done_at: Mapped[datetime | None]
    announced_at: Mapped[datetime | None]
    """When reviewers were told that somebody waits for it."""
    told_at: Mapped[datetime | None]
    """When reviewers were told that it is overdue."""


class ReviewCase(Base):
    """A correction as a case for evaluations, without what says who someone is."""

    __tablename__ = "review_cases"
    __data__ = holds(words="question context expect", plain="prompt origin", kept=ORGANIZATION)
    __table_args__ = (UniqueConstraint("item_id"),)

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    item_id: Mapped[UUID | None] = mapped_column(ForeignKey("review_items.id", ondelete="SET NULL"))
    made_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    prompt: Mapped[str] = mapped_column(String(80))
    question: Mapped[str]
    context: Mapped[list[str]] = mapped_column(ARRAY(String))
    expect: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """As `evals/` has it."""
    origin: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """Where it comes from: ids, dates, versions, and which kinds of data were taken out."""
