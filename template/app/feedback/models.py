from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import ACCOUNT, holds
from app.core.db import Base


class Feedback(Base):
    """What one person says of the answer that one model call gave."""

    __tablename__ = "feedback"
    __data__ = holds(words="comment correction", plain="rating", kept=ACCOUNT)
    __table_args__ = (
        UniqueConstraint("user_id", "call_id"),
        CheckConstraint("rating IN ('up', 'down')", name="rating"),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    call_id: Mapped[UUID] = mapped_column(
        ForeignKey("usage_records.id", ondelete="CASCADE"), index=True
    )
    rating: Mapped[str] = mapped_column(String(4))
    comment: Mapped[str] = mapped_column(String(2000), default="")
    correction: Mapped[str] = mapped_column(String(8000), default="")
    """What the answer should have been."""
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
