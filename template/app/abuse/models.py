"""What is counted, what was seen, and what is done about it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import holds
from app.core.db import Base


class AbuseCounter(Base):
    """Different things of one subject in one window: logins that failed, prompts. Unlogged."""

    __tablename__ = "abuse_counters"
    __data__ = holds(plain="what items", kept="abuse.forget")
    __table_args__ = {"prefixes": ["UNLOGGED"]}  # noqa: RUF012

    id: Mapped[UUID] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(String(20), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(index=True)
    total: Mapped[int]
    items: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    """A part of a keyed digest of each."""


class AbuseTally(Base):
    """How often something happened in ten minutes: what is usual is told from those of before."""

    __tablename__ = "abuse_tallies"
    __data__ = holds(plain="what", kept="abuse.forget")
    __table_args__ = (UniqueConstraint("organization_id", "what", "started_at"),)

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    what: Mapped[str] = mapped_column(String(20))
    started_at: Mapped[datetime]
    count: Mapped[int]


class AbuseSighting(Base):
    """Something that no person does. Goes on for as long as it is seen again within an hour."""

    __tablename__ = "abuse_sightings"
    __data__ = holds(personal="subject", plain="kind subject_kind measure", kept="abuse.forget")
    __table_args__ = (Index("ix_abuse_sightings_subject", "subject_key", "last_at"),)

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(String(20))
    subject_kind: Mapped[str] = mapped_column(String(12))
    subject: Mapped[str] = mapped_column(String(64))
    subject_key: Mapped[UUID]
    count: Mapped[int]
    """How much of it there was at most, and how much is usual."""
    usual: Mapped[int]
    measure: Mapped[str | None] = mapped_column(String(10))
    """The strictest that followed."""
    last_at: Mapped[datetime]
    alerted_at: Mapped[datetime | None]


class AbuseMeasure(Base):
    """What is done about a subject, until when, and who said so."""

    __tablename__ = "abuse_measures"
    __data__ = holds(
        personal="subject",
        words="because lifted_because",
        plain="measure scope subject_kind",
        kept="abuse.forget",
    )
    __table_args__ = (
        CheckConstraint("measure IN ('slow', 'challenge', 'suspend')", name="measure"),
        Index("ix_abuse_measures_subject", "subject_key", "until"),
        Index("ix_abuse_measures_until", "until"),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    measure: Mapped[str] = mapped_column(String(10))
    scope: Mapped[str] = mapped_column(String(10))
    """What it holds for: sign-in, sign-up, requests, model or all."""
    subject_kind: Mapped[str] = mapped_column(String(12))
    subject: Mapped[str] = mapped_column(String(64))
    subject_key: Mapped[UUID]
    because: Mapped[str] = mapped_column(String(300))
    """The kind of what was seen, or the reason that an administrator gave."""
    set_by: Mapped[UUID | None]
    """Empty: the app itself."""
    until: Mapped[datetime]
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[UUID | None]
    lifted_because: Mapped[str | None] = mapped_column(String(300))
