"""Runs and what came of each case. They belong to the installation, as prompts do."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import holds
from app.core.db import Base


class EvalRun(Base):
    __tablename__ = "eval_runs"
    __data__ = holds(
        plain="prompt provider model judge guards commit suites state verdicts",
        kept="evals.forget_old",
    )
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'running', 'finished', 'failed')", name="state"),
        Index("ix_eval_runs_prompt", "prompt", "prompt_version", "created_at"),
    )

    prompt: Mapped[str] = mapped_column(String(80))
    prompt_version: Mapped[int] = mapped_column(Integer)
    started_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    """Empty for runs of the command line."""
    provider: Mapped[str] = mapped_column(String(40), default="")
    model: Mapped[str] = mapped_column(String(200), default="")
    stand_in: Mapped[bool] = mapped_column(default=False)
    judge: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    """Prompt version, agreement with people, whether it counts."""
    guards: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    commit: Mapped[str] = mapped_column(String(64), default="")
    suites: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    """Of each suite the digest of its cases, its floor, and how many passed, failed, ..."""
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    complete: Mapped[bool] = mapped_column(default=False)
    """Every suite of the prompt was run to its end."""
    passed: Mapped[bool] = mapped_column(default=False)
    verdicts: Mapped[list[str]] = mapped_column(ARRAY(String(500)), default=list)
    """Why it did not pass, as sentences."""
    microdollars: Mapped[int] = mapped_column(BigInteger, default=0)
    finished_at: Mapped[datetime | None]


class EvalResult(Base):
    """What came of one case."""

    __tablename__ = "eval_results"
    __data__ = holds(
        plain="suite case_id split tags state checks outcome question answer",
        kept="evals.forget_old",
    )
    __table_args__ = (
        CheckConstraint("state IN ('passed', 'failed', 'skipped', 'error')", name="state"),
        CheckConstraint("split IN ('open', 'held-out')", name="split"),
        Index("ix_eval_results_run_id", "run_id"),
    )

    run_id: Mapped[UUID] = mapped_column(ForeignKey("eval_runs.id", ondelete="CASCADE"))
    suite: Mapped[str] = mapped_column(String(42))
    case_id: Mapped[str] = mapped_column(String(62))
    split: Mapped[str] = mapped_column(String(8))
    tags: Mapped[list[str]] = mapped_column(ARRAY(String(40)))
    state: Mapped[str] = mapped_column(String(8))
    checks: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    outcome: Mapped[str] = mapped_column(String(60))
    question: Mapped[str]
    answer: Mapped[str]
    milliseconds: Mapped[int] = mapped_column(Integer)
