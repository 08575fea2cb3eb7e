"""Answers and vectors that are kept to be given again, and what that saved."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import ORGANIZATION, holds
from app.core.db import Base
from app.core.vectors import Vector

DIMENSIONS = 1024


class CachedAnswer(Base):
    """An answer as the model gave it. The question is not kept: only what it hashes to."""

    __tablename__ = "cached_answers"
    __data__ = holds(
        words="key loose_key scope signature embedding text details",
        plain="feature prompt made_by",
        kept="cache.evict",
    )
    __table_args__ = (
        UniqueConstraint("organization_id", "key"),
        Index("ix_cached_answers_loose_key", "organization_id", "loose_key"),
        Index("ix_cached_answers_scope", "organization_id", "scope", "signature"),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    user_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    """Who asked first; with the account their questions' answers go, too."""
    feature: Mapped[str] = mapped_column(String(60))
    prompt: Mapped[str] = mapped_column(String(80), default="")
    key: Mapped[bytes]
    """Of all that an answer depends on, word for word."""
    loose_key: Mapped[bytes]
    """The same without what changes from day to day in a registered prompt."""
    scope: Mapped[bytes | None]
    """All but the question's own words: what must be equal for a similar question."""
    signature: Mapped[bytes | None]
    """Of its numbers, names and negations, which must be equal as well."""
    embedding: Mapped[list[float] | None] = mapped_column(Vector(DIMENSIONS), deferred=True)
    made_by: Mapped[str] = mapped_column(String(240), default="")
    """What made the vector: `provider/model`."""
    with_documents: Mapped[bool] = mapped_column(default=False)
    text: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    """Model, reason of its end, sources."""
    tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    microdollars: Mapped[int] = mapped_column(BigInteger, default=0)
    hits: Mapped[int] = mapped_column(BigInteger, default=0)
    used_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]


class CacheDay(Base):
    """What became of the calls of a day that could have been answered from the cache."""

    __tablename__ = "cache_days"
    __data__ = holds(plain="feature", kept=ORGANIZATION)
    __table_args__ = (UniqueConstraint("organization_id", "day", "feature"),)

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    day: Mapped[date]
    feature: Mapped[str] = mapped_column(String(60))
    exact: Mapped[int] = mapped_column(BigInteger, default=0)
    alike: Mapped[int] = mapped_column(BigInteger, default=0)
    stale: Mapped[int] = mapped_column(BigInteger, default=0)
    """Given because no model answered."""
    missed: Mapped[int] = mapped_column(BigInteger, default=0)
    tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    """Saved."""
    microdollars: Mapped[int] = mapped_column(BigInteger, default=0)
    """Saved."""
    checked: Mapped[int] = mapped_column(BigInteger, default=0)
    """Asked once more, to compare."""
    agreed: Mapped[int] = mapped_column(BigInteger, default=0)
    """Of those, the answers that said the same again."""


class CachedVector(Base):
    """The vector of a short text that was seen before."""

    __tablename__ = "cached_vectors"
    __data__ = holds(words="digest embedding", plain="made_by", kept="cache.evict")
    __table_args__ = (UniqueConstraint("organization_id", "made_by", "digest"),)

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    made_by: Mapped[str] = mapped_column(String(240))
    digest: Mapped[bytes]
    numbers: Mapped[int]
    """How many the model made; the vector is filled up with zeros."""
    embedding: Mapped[list[float]] = mapped_column(Vector(DIMENSIONS))


class CacheEmptying(Base):
    """That something was emptied: calls that had begun before keep nothing."""

    __tablename__ = "cache_emptyings"
    __data__ = holds(plain="whose transaction", kept="cache.evict")

    whose: Mapped[UUID | None]
    """The organisation; none stands for all of them."""
    transaction: Mapped[int] = mapped_column(
        BigInteger, server_default=text("(pg_current_xact_id()::text::bigint)")
    )
