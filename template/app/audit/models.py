"""Tables of the audit log. Nothing but the function audit_append() writes events and heads.

Organisations and people have no foreign key here: the log outlives what it tells of.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import FOREVER, holds
from app.core.db import Base


class Event(Base):
    """One line of the log; `organization_id` is empty for what concerns the whole platform."""

    __tablename__ = "audit_events"
    __data__ = holds(
        personal="target detail network", plain="action request_id previous_hash hash", kept=FOREVER
    )
    __table_args__ = (
        Index(
            "uq_audit_events_chain",
            "organization_id",
            "sequence",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_audit_events_person", "organization_id", "user_id", "sequence"),
        Index(
            "ix_audit_events_behalf",
            "organization_id",
            "on_behalf_of",
            "sequence",
            postgresql_where=text("on_behalf_of IS NOT NULL"),
        ),
        Index("ix_audit_events_time", "organization_id", "created_at"),
    )

    organization_id: Mapped[UUID | None]
    sequence: Mapped[int] = mapped_column(BigInteger)
    user_id: Mapped[UUID | None]
    session_id: Mapped[UUID | None]
    action: Mapped[str] = mapped_column(String(100))
    target: Mapped[str | None] = mapped_column(String(200))
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)
    request_id: Mapped[str | None] = mapped_column(String(64))
    network: Mapped[str | None] = mapped_column(String(50))
    """The client's address without its last part."""
    on_behalf_of: Mapped[UUID | None]
    """As whom `user_id` worked, when an administrator impersonated someone."""
    previous_hash: Mapped[bytes]
    hash: Mapped[bytes]


class Head(Base):
    """The newest event of a chain; its id is the organisation's, or zero for the platform."""

    __tablename__ = "audit_heads"
    __data__ = holds(plain="hash", kept=FOREVER)

    organization_id: Mapped[UUID | None]
    sequence: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes]


class Anchor(Base):
    """A head as it once was, sealed with a key that is not in the database."""

    __tablename__ = "audit_anchors"
    __data__ = holds(plain="hash seal", kept=FOREVER)
    __table_args__ = (Index("ix_audit_anchors_chain", "organization_id", "sequence"),)

    organization_id: Mapped[UUID | None]
    sequence: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes]
    seal: Mapped[bytes]
