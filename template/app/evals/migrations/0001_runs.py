"""Runs of evaluations. The app's role reads them; they are written as app_auth."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "evals_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)


def _start() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
    ]


def upgrade() -> None:
    op.create_table(
        "eval_runs",
        *_start(),
        sa.Column("prompt", sa.String(80), nullable=False),
        sa.Column("prompt_version", sa.Integer(), nullable=False),
        sa.Column("started_by", sa.Uuid()),
        sa.Column("provider", sa.String(40), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("stand_in", sa.Boolean(), nullable=False),
        sa.Column("judge", postgresql.JSONB(), nullable=False),
        sa.Column("guards", postgresql.JSONB(), nullable=False),
        sa.Column("commit", sa.String(64), nullable=False),
        sa.Column("suites", postgresql.JSONB(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("verdicts", postgresql.ARRAY(sa.String(500)), nullable=False),
        sa.Column("microdollars", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_eval_runs"),
        sa.ForeignKeyConstraint(
            ["started_by"], ["users.id"], name="fk_eval_runs_started_by", ondelete="SET NULL"
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'finished', 'failed')", name="ck_eval_runs_state"
        ),
    )
    op.create_index("ix_eval_runs_prompt", "eval_runs", ["prompt", "prompt_version", "created_at"])
    op.create_table(
        "eval_results",
        *_start(),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("suite", sa.String(42), nullable=False),
        sa.Column("case_id", sa.String(62), nullable=False),
        sa.Column("split", sa.String(8), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.String(40)), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("checks", postgresql.JSONB(), nullable=False),
        sa.Column("outcome", sa.String(60), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_eval_results"),
        sa.ForeignKeyConstraint(
            ["run_id"], ["eval_runs.id"], name="fk_eval_results_run_id", ondelete="CASCADE"
        ),
        sa.CheckConstraint(
            "state IN ('passed', 'failed', 'skipped', 'error')", name="ck_eval_results_state"
        ),
        sa.CheckConstraint("split IN ('open', 'held-out')", name="ck_eval_results_split"),
    )
    op.create_index("ix_eval_results_run_id", "eval_results", ["run_id"])
    op.execute("GRANT SELECT ON eval_runs, eval_results TO app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON eval_runs TO app_auth")
    # What came of a case stays as it was, and goes with its run.
    op.execute("GRANT SELECT, INSERT ON eval_results TO app_auth")


def downgrade() -> None:
    op.drop_table("eval_results")
    op.drop_table("eval_runs")
