from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import ACCOUNT, ORGANIZATION, holds
from app.core.db import Base


class ScimToken(Base):
    """What a directory shows; it belongs to the organisation, not to who made it."""

    __tablename__ = "scim_tokens"
    __data__ = holds(credentials="digest", kept=ORGANIZATION)

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    digest: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


class ScimUser(Base):
    """What the directory says about a member; the account itself is in `users`."""

    __tablename__ = "scim_users"
    __data__ = holds(personal="user_name document asked_at_address", kept=ACCOUNT)
    __table_args__ = (
        UniqueConstraint("organization_id", "user_id"),
        Index("uq_scim_users_name", "organization_id", text("lower(user_name)"), unique=True),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    user_name: Mapped[str] = mapped_column(String(254))
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    made_here: Mapped[bool]
    """The directory made the account, so its name and address are the directory's to change."""
    asked_at_address: Mapped[str | None] = mapped_column(String(254))
    """The account belongs elsewhere: its owner is invited there, and no member before accepting."""
    invitation_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("invitations.id", ondelete="SET NULL"), index=True
    )
    """The last one. Empty: the directory withdrew it."""
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class ScimGroup(Base):
    __tablename__ = "scim_groups"
    __data__ = holds(personal="document", kept=ORGANIZATION)

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    updated_at: Mapped[datetime]
