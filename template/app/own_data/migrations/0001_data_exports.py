"""Files with what is held about a person."""

import sqlalchemy as sa
from alembic import op

from app.core.row_security import open_to_auth, protect

revision = "own_data_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)
SHOWN = "id, created_at, organization_id, user_id, state, size, expires_at"


def upgrade() -> None:
    op.create_table(
        "data_exports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("content", sa.LargeBinary()),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_data_exports"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name="fk_data_exports_organization_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_data_exports_user_id", ondelete="CASCADE"
        ),
        sa.CheckConstraint("state IN ('waiting', 'ready', 'failed')", name="ck_data_exports_state"),
    )
    op.create_index("ix_data_exports_organization_id", "data_exports", ["organization_id"])
    op.create_index("ix_data_exports_user_id", "data_exports", ["user_id"])
    protect(
        "data_exports",
        owner_column="user_id",
        grant_to_app=f"SELECT ({SHOWN}), INSERT",
    )
    open_to_auth("data_exports")


def downgrade() -> None:
    op.drop_table("data_exports")
