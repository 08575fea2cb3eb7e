"""Notes, seen by nobody outside their organisation."""

import sqlalchemy as sa
from alembic import op

from app.core.row_security import protect

revision = "notes_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "notes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.now(),
            nullable=False,
        ),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notes"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name="fk_notes_organization_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_notes_organization_id", "notes", ["organization_id"])
    protect("notes")
