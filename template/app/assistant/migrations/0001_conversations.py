"""Conversations and messages, shown to nobody but their owner."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.core.row_security import open_to_auth, protect

revision = "assistant_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)


def _owned(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=f"fk_{table}_organization_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=f"fk_{table}_user_id", ondelete="CASCADE"
        ),
    ]


def upgrade() -> None:
    op.create_table(
        "conversations",
        *_owned("conversations"),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("updated_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("tainted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("answering_until", MOMENT),
    )
    op.create_index("ix_conversations_organization_id", "conversations", ["organization_id"])
    op.create_index(
        "ix_conversations_user_id_updated_at", "conversations", ["user_id", "updated_at"]
    )
    op.create_table(
        "messages",
        *_owned("messages"),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("turn_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("idempotency_key", sa.String(64)),
        sa.Column("call_id", sa.Uuid()),
        sa.Column("metadata", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name="fk_messages_conversation_id",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("turn_id", "role", name="uq_messages_turn_id_role"),
        sa.UniqueConstraint(
            "conversation_id",
            "idempotency_key",
            name="uq_messages_conversation_id_idempotency_key",
        ),
        sa.CheckConstraint("role IN ('user', 'assistant')", name="ck_messages_role"),
        sa.CheckConstraint(
            "state IN ('complete', 'interrupted', 'withheld')", name="ck_messages_state"
        ),
    )
    op.create_index("ix_messages_organization_id", "messages", ["organization_id"])
    op.create_index("ix_messages_user_id", "messages", ["user_id"])
    op.create_index(
        "ix_messages_conversation_id_turn_id", "messages", ["conversation_id", "turn_id"]
    )
    for table in ("conversations", "messages"):
        protect(table, owner_column="user_id")
    # The nightly job deletes what is too old and sees nothing of what was said.
    open_to_auth("conversations", "SELECT (id, organization_id, updated_at), DELETE")


def downgrade() -> None:
    op.drop_table("messages")
    op.drop_table("conversations")
