"""What is kept of calls to watch them by: numbers, and for a sample what a judge says of them.

No table here says whose call it was.
"""

from datetime import datetime
from typing import Any
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
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import holds
from app.core.db import Base

KEPT = "monitoring.forget"


class MonitoredCall(Base):
    """What a question and its answer were like. The id is the call's."""

    __tablename__ = "monitoring_calls"
    __data__ = holds(plain="feature provider model prompt outcome guard language", kept=KEPT)
    __table_args__ = (
        CheckConstraint(
            "outcome IN ('answered', 'refused', 'withheld', 'failed', 'left')", name="outcome"
        ),
        Index("ix_monitoring_calls_time", "organization_id", "created_at"),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    feature: Mapped[str] = mapped_column(String(60))
    provider: Mapped[str] = mapped_column(String(40))
    model: Mapped[str] = mapped_column(String(200))
    prompt: Mapped[str] = mapped_column(String(80))
    prompt_version: Mapped[int | None]
    outcome: Mapped[str] = mapped_column(String(10))
    guard: Mapped[str] = mapped_column(String(60))
    """The guard that stopped it, or nothing."""
    declined: Mapped[bool]
    """The model itself says that it will not or cannot."""
    asker: Mapped[int]
    """The same for all calls of one person in one day, by a keyed digest: the next day another one.
    Calls of one person are alike, and tests take calls that have nothing to do with each other."""
    confidence: Mapped[int | None]
    """In percent, where the app has any."""
    question_characters: Mapped[int]
    answer_characters: Mapped[int]
    language: Mapped[str] = mapped_column(String(2))
    """Of the question; empty when nothing speaks for one."""
    topic: Mapped[int]
    """One of a few boxes that questions fall into by one word; no word follows from it."""


class Judgement(Base):
    """What the judge says of one answer. The id is the call's. Only app_auth reads the words."""

    __tablename__ = "monitoring_judgements"
    __data__ = holds(words="words", plain="feature provider model prompt state", kept=KEPT)
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'judged', 'failed', 'expired')", name="state"),
        Index("ix_monitoring_judgements_time", "organization_id", "created_at"),
        Index("ix_monitoring_judgements_judged_at", "judged_at"),
        Index(
            "ix_monitoring_judgements_waiting", "created_at", postgresql_where="state = 'waiting'"
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    feature: Mapped[str] = mapped_column(String(60))
    provider: Mapped[str] = mapped_column(String(40))
    model: Mapped[str] = mapped_column(String(200))
    prompt: Mapped[str] = mapped_column(String(80))
    prompt_version: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(8))
    correct: Mapped[bool | None]
    relevant: Mapped[bool | None]
    safe: Mapped[bool | None]
    form: Mapped[bool | None]
    """Whether it has the form that was asked for. Each is empty where the judge cannot say, or is
    not to be believed."""
    calibration_id: Mapped[UUID | None]
    """The judge that said it."""
    judged_at: Mapped[datetime | None]
    words: Mapped[bytes | None]
    """Encrypted, with what the guards masked still masked; gone when it is judged."""


class Calibration(Base):
    """How far a judge agrees with people. It belongs to the installation."""

    __tablename__ = "monitoring_calibrations"
    __data__ = holds(plain="provider model kappas", kept=KEPT)

    provider: Mapped[str] = mapped_column(String(40))
    model: Mapped[str] = mapped_column(String(200))
    prompt_version: Mapped[int]
    examples: Mapped[int] = mapped_column(Integer)
    kappas: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """By criterion: Cohen's kappa with people."""


class DriftReading(Base):
    """What one look found of one measure of a feature."""

    __tablename__ = "monitoring_readings"
    __data__ = holds(plain="feature measure kind before after", kept=KEPT)
    __table_args__ = (
        UniqueConstraint("organization_id", "feature", "measure", "day"),
        CheckConstraint("kind IN ('ordered', 'named', 'share')", name="kind"),
        Index("ix_monitoring_readings_day", "organization_id", "day"),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    day: Mapped[datetime]
    """The day of UTC on which it was looked at; the newest look of a day stays."""
    feature: Mapped[str] = mapped_column(String(60))
    measure: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(7))
    reference: Mapped[int] = mapped_column(BigInteger)
    current: Mapped[int] = mapped_column(BigInteger)
    effect: Mapped[float]
    """Population stability index; of a share, Cohen's h."""
    p_value: Mapped[float]
    adjusted: Mapped[float]
    """After Holm, for all measures of the look."""
    drifted: Mapped[bool]
    before: Mapped[str] = mapped_column(String(80))
    after: Mapped[str] = mapped_column(String(80))


class DriftAlert(Base):
    """A drift that was told; one row and one mail while it goes on."""

    __tablename__ = "monitoring_alerts"
    __data__ = holds(plain="feature measure before after", kept=KEPT)
    __table_args__ = (
        Index(
            "uq_monitoring_alerts_open",
            "organization_id",
            "feature",
            "measure",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    feature: Mapped[str] = mapped_column(String(60))
    measure: Mapped[str] = mapped_column(String(20))
    effect: Mapped[float]
    adjusted: Mapped[float]
    before: Mapped[str] = mapped_column(String(80))
    after: Mapped[str] = mapped_column(String(80))
    last_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


OPEN = ("nothing", "waiting", "decided", "running", "evaluating")
STATES = (*OPEN, "proposed", "done", "failed", "dropped")


class Decision(Base):
    """What came of a rule for retraining, with the numbers that led to it."""

    __tablename__ = "monitoring_decisions"
    __data__ = holds(
        plain="rule feature prompt action state reasons numbers why training_file validation_file"
        " job model",
        kept=KEPT,
    )
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        Index(
            "uq_monitoring_decisions_open",
            "organization_id",
            "rule",
            unique=True,
            postgresql_where=text(f"state IN {OPEN}"),
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    rule: Mapped[str] = mapped_column(String(60))
    feature: Mapped[str] = mapped_column(String(60))
    prompt: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(10))
    """`nothing`: no rule fired. `waiting`: too few examples. `decided`: somebody may start it."""
    reasons: Mapped[list[str]] = mapped_column(JSONB)
    numbers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    looked_at: Mapped[datetime]
    started_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    training_file: Mapped[str] = mapped_column(String(200), default="")
    validation_file: Mapped[str] = mapped_column(String(200), default="")
    job: Mapped[str] = mapped_column(String(200), default="")
    """At the provider."""
    model: Mapped[str] = mapped_column(String(200), default="")
    """What was trained."""
    trained_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    read_at: Mapped[datetime | None]
    """When the corrections that it trains on were read: what is saved later is new."""
    asked_at: Mapped[datetime | None]
    """When the provider was asked to begin. Without a job, nobody knows whether it did."""
    run_id: Mapped[UUID | None]
    """The evaluation of what was trained."""
    why: Mapped[str] = mapped_column(String(500), default="")
    """Why it ended as it did."""
