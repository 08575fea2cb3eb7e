"""How much stricter than the installation an organisation wants its guards."""

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import ORGANIZATION, holds
from app.core.db import Base


class GuardSettings(Base):
    """One version; the newest holds. Calls name the version that held for them."""

    __tablename__ = "guard_settings"
    __data__ = holds(plain="actions words_action", words="words", kept=ORGANIZATION)
    __table_args__ = (UniqueConstraint("organization_id", "version"),)

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    version: Mapped[int] = mapped_column(Integer)
    actions: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """By guard: `review` or `block`."""
    words: Mapped[list[str]] = mapped_column(ARRAY(String(80)))
    """Words and phrases that questions and answers must not hold."""
    words_action: Mapped[str] = mapped_column(String(6))
    changed_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
