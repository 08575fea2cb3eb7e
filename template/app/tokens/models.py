from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import holds
from app.core.db import Base


class TokenSession(Base):
    """What makes a session one by tokens. No row for each token: they are signed and counted."""

    __tablename__ = "token_sessions"
    __data__ = holds(kept="auth.clean_up")

    session_id: Mapped[UUID] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE"), unique=True
    )
    counter: Mapped[int] = mapped_column(default=0)
    """The number of the only refresh token that rotates; those before it are used."""
    rotated_at: Mapped[datetime | None]
