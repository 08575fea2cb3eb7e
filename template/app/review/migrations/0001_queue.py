"""What people look at, each look at it, and the cases that corrections become."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.core.row_security import open_to_auth, protect

revision = "review_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)
REASONS = "'guard', 'degraded', 'asked', 'low_confidence', 'sampled'"
VERDICTS = "'', 'approved', 'corrected', 'rejected'"


def _references(table: str, *found: tuple[str, str, str]) -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint([column], [f"{to}.id"], name=f"fk_{table}_{column}", ondelete=gone)
        for column, to, gone in found
    ]


def _text(name: str, *, longest: int | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.String(longest), server_default="", nullable=False)


def upgrade() -> None:
    op.create_table(
        "review_items",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("feature", sa.String(60), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("prompt", sa.String(80), nullable=False),
        sa.Column("prompt_version", sa.Integer()),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("sampled", sa.Boolean(), nullable=False),
        sa.Column("withheld", sa.Boolean(), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("sources", postgresql.JSONB(), nullable=False),
        sa.Column("guards", postgresql.JSONB(), nullable=False),
        sa.Column("confidence", sa.Integer()),
        sa.Column("signals", postgresql.ARRAY(sa.String(20)), nullable=False),
        _text("comment", longest=2000),
        _text("verdict", longest=10),
        _text("correction", longest=8000),
        _text("note", longest=2000),
        sa.Column("resolved_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_review_items"),
        sa.UniqueConstraint("call_id", name="uq_review_items_call_id"),
        *_references(
            "review_items",
            ("organization_id", "organizations", "CASCADE"),
            ("user_id", "users", "CASCADE"),
            ("call_id", "usage_records", "CASCADE"),
        ),
        sa.CheckConstraint(f"reason IN ({REASONS})", name="ck_review_items_reason"),
        sa.CheckConstraint(f"verdict IN ({VERDICTS})", name="ck_review_items_verdict"),
    )
    for column in ("organization_id", "user_id"):
        op.create_index(f"ix_review_items_{column}", "review_items", [column])
    op.create_table(
        "review_looks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("state", sa.String(8), server_default="waiting", nullable=False),
        sa.Column("claimed_by", sa.Uuid()),
        sa.Column("claimed_until", MOMENT),
        _text("verdict", longest=10),
        _text("correction", longest=8000),
        _text("note", longest=2000),
        sa.Column("done_at", MOMENT),
        sa.Column("announced_at", MOMENT),
        sa.Column("told_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_review_looks"),
        sa.UniqueConstraint("item_id", "number", name="uq_review_looks_item_id_number"),
        *_references(
            "review_looks",
            ("organization_id", "organizations", "CASCADE"),
            ("item_id", "review_items", "CASCADE"),
            ("claimed_by", "users", "SET NULL"),
        ),
        sa.CheckConstraint("number BETWEEN 1 AND 3", name="ck_review_looks_number"),
        sa.CheckConstraint("state IN ('waiting', 'claimed', 'done')", name="ck_review_looks_state"),
        sa.CheckConstraint(f"verdict IN ({VERDICTS})", name="ck_review_looks_verdict"),
    )
    op.create_index(
        "ix_review_looks_open",
        "review_looks",
        ["organization_id", sa.text("priority DESC"), "due_at", "id"],
        postgresql_where=sa.text("state <> 'done'"),
    )
    op.create_table(
        "review_cases",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid()),
        sa.Column("made_by", sa.Uuid()),
        sa.Column("prompt", sa.String(80), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("context", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("expect", postgresql.JSONB(), nullable=False),
        sa.Column("origin", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_review_cases"),
        sa.UniqueConstraint("item_id", name="uq_review_cases_item_id"),
        *_references(
            "review_cases",
            ("organization_id", "organizations", "CASCADE"),
            ("item_id", "review_items", "SET NULL"),
            ("made_by", "users", "SET NULL"),
        ),
    )
    op.create_index("ix_review_cases_organization_id", "review_cases", ["organization_id"])
    protect("review_cases")
    # What was asked and answered cannot be changed, nor can anything leave the queue unseen.
    protect("review_items", grant_to_app="SELECT, INSERT")
    op.execute(
        "GRANT UPDATE (reason, comment, verdict, correction, note, resolved_at)"
        " ON review_items TO app"
    )
    protect("review_looks", grant_to_app="SELECT, INSERT")
    op.execute(
        "GRANT UPDATE (priority, due_at, state, claimed_by, claimed_until, verdict, correction,"
        " note, done_at) ON review_looks TO app"
    )
    # The jobs see nothing of what was said.
    open_to_auth("review_items", "SELECT (id, organization_id, created_at, resolved_at), DELETE")
    open_to_auth(
        "review_looks",
        "SELECT (id, organization_id, item_id, state, priority, due_at, claimed_until,"
        " announced_at, told_at),"
        " UPDATE (state, claimed_by, claimed_until, announced_at, told_at)",
    )


def downgrade() -> None:
    op.drop_table("review_cases")
    op.drop_table("review_looks")
    op.drop_table("review_items")
