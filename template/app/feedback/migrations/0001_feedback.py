"""Thumbs and comments, one for each person and call."""

import sqlalchemy as sa
from alembic import op

from app.core.row_security import open_to_auth, protect

revision = "feedback_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("rating", sa.String(4), nullable=False),
        sa.Column("comment", sa.String(2000), nullable=False),
        sa.Column("correction", sa.String(8000), nullable=False),
        sa.Column("updated_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name="fk_feedback_organization_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_feedback_user_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["call_id"], ["usage_records.id"], name="fk_feedback_call_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("user_id", "call_id", name="uq_feedback_user_id_call_id"),
        sa.CheckConstraint("rating IN ('up', 'down')", name="ck_feedback_rating"),
    )
    op.create_index("ix_feedback_organization_id", "feedback", ["organization_id"])
    op.create_index("ix_feedback_call_id", "feedback", ["call_id"])
    protect("feedback")
    # Experiments count thumbs over all organisations, and see nothing that people wrote.
    open_to_auth("feedback", "SELECT (call_id, user_id, rating, updated_at)")


def downgrade() -> None:
    op.drop_table("feedback")
