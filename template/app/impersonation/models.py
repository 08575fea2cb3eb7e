from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import ACCOUNT, holds
from app.core.db import Base


class Impersonation(Base):
    """Who worked as whom, why and how long. The audit log has all of it but the reason."""

    __tablename__ = "impersonations"
    __data__ = holds(words="reason", kept=ACCOUNT)
    __table_args__ = (
        Index("ix_impersonations_user_id", "user_id"),
        Index(
            "uq_impersonations_running",
            "administrator_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    administrator_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL")
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    session_id: Mapped[UUID | None] = mapped_column(ForeignKey("sessions.id", ondelete="SET NULL"))
    reason: Mapped[str] = mapped_column(String(300))
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
