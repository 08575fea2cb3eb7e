"""What waits for approval, and what became of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.core.row_security import open_to_auth, protect

revision = "tools_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)
STATES = "'waiting', 'running', 'done', 'failed', 'declined', 'expired'"


def upgrade() -> None:
    op.create_table(
        "tool_approvals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid()),
        sa.Column("tool", sa.String(48), nullable=False),
        sa.Column("arguments", postgresql.JSONB(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("decided_by", sa.Uuid()),
        sa.Column("decided_at", MOMENT),
        sa.Column("running_until", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_tool_approvals"),
        *(
            sa.ForeignKeyConstraint(
                [column], [f"{table}.id"], name=f"fk_tool_approvals_{column}", ondelete=gone
            )
            for column, table, gone in (
                ("organization_id", "organizations", "CASCADE"),
                ("user_id", "users", "CASCADE"),
                ("decided_by", "users", "SET NULL"),
            )
        ),
        sa.CheckConstraint(f"state IN ({STATES})", name="ck_tool_approvals_state"),
    )
    op.create_index(
        "ix_tool_approvals_organization_id_state", "tool_approvals", ["organization_id", "state"]
    )
    op.create_index("ix_tool_approvals_user_id", "tool_approvals", ["user_id"])
    # What was asked for cannot be changed: only what became of it.
    protect("tool_approvals", grant_to_app="SELECT, INSERT")
    op.execute(
        "GRANT UPDATE (state, reason, result, decided_by, decided_at, running_until)"
        " ON tool_approvals TO app"
    )
    open_to_auth(
        "tool_approvals",
        "SELECT (id, organization_id, user_id, conversation_id, tool, state, created_at,"
        " expires_at, running_until), UPDATE (state, reason), DELETE",
    )


def downgrade() -> None:
    op.drop_table("tool_approvals")
