from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import holds
from app.core.db import Base


class Session(Base):
    """One browser that is signed in, or half-way there."""

    __tablename__ = "sessions"
    __data__ = holds(
        credentials="token_digest",
        personal="address user_agent device",
        plain="level method factor",
        kept="auth.clean_up",
    )
    __table_args__ = (
        Index(
            "ix_sessions_impersonator_session_id",
            "impersonator_session_id",
            postgresql_where=text("impersonator_session_id IS NOT NULL"),
        ),
    )

    token_digest: Mapped[bytes] = mapped_column(unique=True)
    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    level: Mapped[str] = mapped_column(String(10))
    """`pending` after the password when a second factor is still to come, then `full`."""
    second_factor: Mapped[bool] = mapped_column(default=False)
    method: Mapped[str] = mapped_column(String(20))
    """How the person came in: `password`, or what a module for another way calls it."""
    factor: Mapped[str | None] = mapped_column(String(20))
    """Which second factor it was; a recovery code stands for all of them."""
    authenticated_at: Mapped[datetime]
    """When the person last proved who they are."""
    last_seen_at: Mapped[datetime]
    idle_seconds: Mapped[int]
    expires_at: Mapped[datetime]
    address: Mapped[str] = mapped_column(String(45))
    user_agent: Mapped[str] = mapped_column(String(200))
    device: Mapped[str | None] = mapped_column(String(32))
    """The name of the known device that it was started from; empty for a stranger's."""
    revoked_at: Mapped[datetime | None]
    impersonator_session_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE")
    )
    """The own session of the administrator who works as this person; it ends with that one."""
    rotated_into: Mapped[UUID | None]
    """The session that took the place of this one with a new token."""
