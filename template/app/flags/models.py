"""Flags belong to the installation: no table here has an organisation. The app's role may only read
them; they are set as app_auth, after the code has seen that an operator asks.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import INSTALLATION, holds
from app.core.db import Base


class FeatureFlag(Base):
    """What somebody has set; a flag without a row is as the code says."""

    __tablename__ = "feature_flags"
    __data__ = holds(plain="name organizations off_for roles reason", kept=INSTALLATION)
    __table_args__ = (CheckConstraint("share BETWEEN 0 AND 100", name="share"),)

    name: Mapped[str] = mapped_column(String(80), unique=True)
    enabled: Mapped[bool]
    """When not, it is off for everyone, whatever stands below."""
    share: Mapped[int]
    """Per cent of people it is on for; the same people each time."""
    organizations: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))
    """It is on in these only; empty: in all."""
    off_for: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))
    """It is off in these, whatever else is set."""
    roles: Mapped[list[str]] = mapped_column(ARRAY(String(36)))
    """It is on for these only; empty: for all."""
    reason: Mapped[str] = mapped_column(String(500))
    changed_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    changed_at: Mapped[datetime]
