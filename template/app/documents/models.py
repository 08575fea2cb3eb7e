from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Computed,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import ORGANIZATION, holds
from app.core.db import Base
from app.core.rotation import encrypted_for
from app.core.vectors import Vector

DIMENSIONS = 1024


class Document(Base):
    """Row security shows it to its owner, to the roles it is for, or to the organisation."""

    __tablename__ = "documents"
    __data__ = holds(
        plain="kind sha256 file_name audience roles state reason",
        words="name reading",
        kept=ORGANIZATION,
    )
    __table_args__ = (
        Index("ix_documents_organization_id", "organization_id", "created_at"),
        Index("ix_documents_organization_id_sha256", "organization_id", "sha256"),
        CheckConstraint("audience IN ('person', 'roles', 'organization')", name="audience"),
        CheckConstraint(
            "state IN ('uploading', 'waiting', 'ready', 'refused', 'failed')", name="state"
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    owner_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL"), index=True
    )
    """Who uploaded it. Without an owner, what was private is seen by nobody and deleted."""
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(10))
    size: Mapped[int] = mapped_column(default=0)
    sha256: Mapped[bytes | None]
    file_name: Mapped[str] = mapped_column(String(65), unique=True)
    """Where `storage` keeps it."""
    audience: Mapped[str] = mapped_column(String(12), default="person")
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    """For the audience `roles`: built-in roles' names and custom ones' ids."""
    state: Mapped[str] = mapped_column(String(10), default="uploading")
    reason: Mapped[str | None] = mapped_column(String(40))
    """Why it was refused: a name in reasons.py."""
    notes: Mapped[dict[str, Any]] = mapped_column("reading", JSONB, default=dict)
    """What was read, in numbers and names of columns; nothing of the text."""
    replaces_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("documents.id", ondelete="SET NULL"), index=True
    )
    """The version before, which goes when this one is ready."""
    accepts_changes: Mapped[bool] = mapped_column(default=False)
    """Whether a table may have other columns than the version before."""
    ready_at: Mapped[datetime | None]


class DocumentKey(Base):
    """What opens a document's file; when the row is gone, nothing does."""

    __tablename__ = "document_keys"
    __data__ = holds(credentials="secret", kept=ORGANIZATION)

    document_id: Mapped[UUID] = mapped_column(
        ForeignKey("documents.id", ondelete="CASCADE"), unique=True
    )
    secret: Mapped[bytes] = mapped_column(info=encrypted_for("document_id"))


class Passage(Base):
    """A piece of a document's text. Who sees the document sees it."""

    __tablename__ = "passages"
    __data__ = holds(words="heading text embedding words", kept=ORGANIZATION)
    __table_args__ = (
        UniqueConstraint("document_id", "version", "place"),
        Index("ix_passages_words", "words", postgresql_using="gin"),
        Index(
            "ix_passages_embedding",
            "embedding",
            postgresql_using="hnsw",
            postgresql_ops={"embedding": "halfvec_cosine_ops"},
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    document_id: Mapped[UUID] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    version: Mapped[int]
    """Of the index; searches look at one version only."""
    place: Mapped[int]
    page: Mapped[int | None]
    heading: Mapped[str] = mapped_column(String(620), default="")
    text: Mapped[str]
    embedding: Mapped[list[float] | None] = mapped_column(Vector(DIMENSIONS), deferred=True)
    """Empty when what makes vectors of this version could not be reached any more."""
    words: Mapped[Any] = mapped_column(
        TSVECTOR,
        Computed("to_tsvector('simple', heading || ' ' || text)", persisted=True),
        deferred=True,
    )


class DocumentIndex(Base):
    """Which version of an organisation's index is searched, and which one is being built."""

    __tablename__ = "document_indexes"
    __data__ = holds(plain="live_kind building_kind", kept=ORGANIZATION)

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), unique=True
    )
    live: Mapped[int] = mapped_column(default=1)
    live_kind: Mapped[str] = mapped_column(String(240))
    """What made its vectors and passages; see `indexing.kind`."""
    building: Mapped[int | None]
    building_kind: Mapped[str | None] = mapped_column(String(240))
    built_at: Mapped[datetime | None]


class RemovedFile(Base):
    """A file whose document is gone, until `storage` has deleted it. A trigger writes it."""

    __tablename__ = "removed_files"
    __data__ = holds(plain="name", kept="documents.remove_files")

    name: Mapped[str] = mapped_column(String(65), unique=True)
