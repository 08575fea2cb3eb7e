"""Prompts belong to the installation: no table here has an organisation. The app's role may only
read them; changes are made as app_auth, after the code has seen that an operator asks. Texts and
reasons are how the app is set up, and say nothing about anybody.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import INSTALLATION, holds
from app.core.db import Base

LABELS = ("draft", "candidate", "live")
_label = "label IN ('draft', 'candidate', 'live')"


class Prompt(Base):
    """A text that the code asks for by its name."""

    __tablename__ = "prompts"
    __data__ = holds(plain="name purpose variables", kept=INSTALLATION)

    name: Mapped[str] = mapped_column(String(80), unique=True)
    purpose: Mapped[str] = mapped_column(String(500), default="")
    variables: Mapped[list[str]] = mapped_column(ARRAY(String(40)), default=list)
    """What the code offers to put in, as the newest file says."""


class PromptVersion(Base):
    """Never changed and never deleted: the database grants neither."""

    __tablename__ = "prompt_versions"
    __data__ = holds(plain="text rationale variables digest", kept=INSTALLATION)
    __table_args__ = (UniqueConstraint("prompt_id", "number"),)

    prompt_id: Mapped[UUID] = mapped_column(ForeignKey("prompts.id"))
    number: Mapped[int] = mapped_column(Integer)
    text: Mapped[str]
    variables: Mapped[list[str]] = mapped_column(ARRAY(String(40)))
    """Those of the prompt's that this text uses."""
    rationale: Mapped[str] = mapped_column(String(2000))
    digest: Mapped[str] = mapped_column(String(64))
    author_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    """Empty when it comes from a file of the project, or its author's account is gone."""
    from_file: Mapped[bool]


class PromptLabel(Base):
    """Which version a label points to. One row for each label, so only one version is live."""

    __tablename__ = "prompt_labels"
    __data__ = holds(plain="label", kept=INSTALLATION)
    __table_args__ = (
        UniqueConstraint("prompt_id", "label"),
        CheckConstraint(_label, name="label"),
    )

    prompt_id: Mapped[UUID] = mapped_column(ForeignKey("prompts.id"))
    label: Mapped[str] = mapped_column(String(10))
    version_id: Mapped[UUID] = mapped_column(ForeignKey("prompt_versions.id"))
    by_file: Mapped[bool]
    """The project's files put it there, no person did."""


class PromptMove(Base):
    """A label that was moved, why, and what its gate said. Only ever added to."""

    __tablename__ = "prompt_moves"
    __data__ = holds(plain="reason label gate", kept=INSTALLATION)
    __table_args__ = (
        CheckConstraint(_label, name="label"),
        CheckConstraint("gate IN ('', 'passed', 'overridden', 'returned', 'file')", name="gate"),
        Index("ix_prompt_moves_prompt_id", "prompt_id", text("created_at DESC")),
    )

    prompt_id: Mapped[UUID] = mapped_column(ForeignKey("prompts.id"))
    label: Mapped[str] = mapped_column(String(10))
    version_id: Mapped[UUID] = mapped_column(ForeignKey("prompt_versions.id"))
    moved_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    reason: Mapped[str] = mapped_column(String(2000))
    gate: Mapped[str] = mapped_column(String(10))
    """`returned`: it was live before. Empty for labels that need no gate."""


class PromptExperiment(Base):
    """A part of the people is answered with another version for a while.

    What it compares never changes while it runs: another weight is another experiment.
    """

    __tablename__ = "prompt_experiments"
    __data__ = holds(plain="hypothesis ended_because", kept=INSTALLATION)
    __table_args__ = (
        CheckConstraint("percent BETWEEN 1 AND 99", name="percent"),
        Index(
            "uq_prompt_experiments_running",
            "prompt_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    prompt_id: Mapped[UUID] = mapped_column(ForeignKey("prompts.id"))
    control_id: Mapped[UUID] = mapped_column(ForeignKey("prompt_versions.id"))
    """The live version when it began."""
    candidate_id: Mapped[UUID] = mapped_column(ForeignKey("prompt_versions.id"))
    percent: Mapped[int] = mapped_column(Integer)
    """How many of a hundred people get the candidate."""
    hypothesis: Mapped[str] = mapped_column(String(2000))
    effect: Mapped[float]
    """The difference of shares that is worth finding: says how many people are needed."""
    started_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    ended_at: Mapped[datetime | None]
    ended_because: Mapped[str] = mapped_column(String(2000), default="")


class PromptShadow(Base):
    """A candidate that gets a share of the questions as well; nobody is shown what it answers."""

    __tablename__ = "prompt_shadows"
    __data__ = holds(plain="ended_because", kept=INSTALLATION)
    __table_args__ = (
        CheckConstraint("percent BETWEEN 1 AND 100", name="percent"),
        Index(
            "uq_prompt_shadows_running",
            "prompt_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    prompt_id: Mapped[UUID] = mapped_column(ForeignKey("prompts.id"))
    candidate_id: Mapped[UUID] = mapped_column(ForeignKey("prompt_versions.id"))
    percent: Mapped[int] = mapped_column(Integer)
    """Of a hundred answers."""
    microdollars_per_day: Mapped[int] = mapped_column(BigInteger)
    started_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    ended_at: Mapped[datetime | None]
    ended_because: Mapped[str] = mapped_column(String(2000), default="")


class PromptShadowAnswer(Base):
    """Numbers of one answer that nobody saw: no word of it, and not whose question it was."""

    __tablename__ = "prompt_shadow_answers"
    __data__ = holds(plain="outcome", kept=INSTALLATION)
    __table_args__ = (Index("ix_prompt_shadow_answers_shadow_id", "shadow_id", "created_at"),)

    shadow_id: Mapped[UUID] = mapped_column(ForeignKey("prompt_shadows.id"))
    outcome: Mapped[str] = mapped_column(String(20))
    similarity: Mapped[float | None]
    """To the answer that was shown: 1 is the same words."""
    shown_words: Mapped[int] = mapped_column(Integer)
    words: Mapped[int] = mapped_column(Integer)
    microdollars: Mapped[int] = mapped_column(BigInteger)
    milliseconds: Mapped[int] = mapped_column(Integer)
