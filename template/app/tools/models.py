from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import holds
from app.core.db import Base

STATES = ("waiting", "running", "done", "failed", "declined", "expired")


class ToolApproval(Base):
    """A tool with high stakes that a model wants to use in someone's name."""

    __tablename__ = "tool_approvals"
    __data__ = holds(
        words="arguments result", plain="tool fingerprint state reason", kept="tools.clean_up"
    )
    __table_args__ = (
        Index("ix_tool_approvals_organization_id_state", "organization_id", "state"),
        CheckConstraint(f"state IN {STATES}", name="state"),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    """Who asked, and as whom it will run."""
    session_id: Mapped[UUID]
    conversation_id: Mapped[UUID | None]
    tool: Mapped[str] = mapped_column(String(48))
    arguments: Mapped[dict[str, Any]] = mapped_column(JSONB)
    fingerprint: Mapped[str] = mapped_column(String(64))
    """Of all that is approved; what is run must still have it."""
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    reason: Mapped[str] = mapped_column(String(40), default="")
    """Why it failed."""
    result: Mapped[str] = mapped_column(default="")
    expires_at: Mapped[datetime]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    decided_at: Mapped[datetime | None]
    running_until: Mapped[datetime | None]
    """Whoever runs it has died when this has passed."""
