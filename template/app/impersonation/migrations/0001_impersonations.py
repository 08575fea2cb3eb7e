"""Who worked as whom, why and how long."""

import sqlalchemy as sa
from alembic import op

from app.core.row_security import open_to_auth, protect

revision = "impersonation_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "impersonations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("administrator_id", sa.Uuid()),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid()),
        sa.Column("reason", sa.String(300), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_impersonations"),
        *(
            sa.ForeignKeyConstraint(
                [column],
                [f"{table}.id"],
                name=f"fk_impersonations_{column}",
                ondelete=gone,
            )
            for column, table, gone in (
                ("organization_id", "organizations", "CASCADE"),
                ("administrator_id", "users", "SET NULL"),
                ("user_id", "users", "CASCADE"),
                ("session_id", "sessions", "SET NULL"),
            )
        ),
    )
    op.create_index("ix_impersonations_user_id", "impersonations", ["user_id"])
    # One at a time for each administrator.
    op.create_index(
        "uq_impersonations_running",
        "impersonations",
        ["administrator_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    protect("impersonations", grant_to_app="SELECT")
    open_to_auth("impersonations")


def downgrade() -> None:
    op.drop_table("impersonations")
