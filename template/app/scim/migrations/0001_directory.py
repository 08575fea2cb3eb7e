"""Tokens of directories, and what these say about people and groups."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from app.core.row_security import protect, protect_auth

revision = "scim_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)


def _table(name: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=f"fk_{name}_organization_id",
            ondelete="CASCADE",
        ),
    )


def upgrade() -> None:
    _table(
        "scim_tokens",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT),
    )
    op.create_index("ix_scim_tokens_organization_id", "scim_tokens", ["organization_id"])
    op.create_unique_constraint("uq_scim_tokens_digest", "scim_tokens", ["digest"])
    protect_auth("scim_tokens")

    _table(
        "scim_users",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("user_name", sa.String(254), nullable=False),
        sa.Column("document", JSONB(), nullable=False),
        sa.Column("made_here", sa.Boolean(), nullable=False),
        sa.Column("asked_at_address", sa.String(254)),
        sa.Column("invitation_id", sa.Uuid()),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT),
    )
    op.create_foreign_key(
        "fk_scim_users_user_id", "scim_users", "users", ["user_id"], ["id"], ondelete="CASCADE"
    )
    op.create_foreign_key(
        "fk_scim_users_invitation_id",
        "scim_users",
        "invitations",
        ["invitation_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_index("ix_scim_users_invitation_id", "scim_users", ["invitation_id"])
    op.create_index("ix_scim_users_user_id", "scim_users", ["user_id"])
    op.create_unique_constraint(
        "uq_scim_users_organization_id_user_id", "scim_users", ["organization_id", "user_id"]
    )
    op.create_index(
        "uq_scim_users_name",
        "scim_users",
        ["organization_id", sa.text("lower(user_name)")],
        unique=True,
    )
    protect("scim_users")

    _table(
        "scim_groups",
        sa.Column("document", JSONB(), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
    )
    op.create_index("ix_scim_groups_organization_id", "scim_groups", ["organization_id"])
    protect("scim_groups")


def downgrade() -> None:
    for table in ("scim_groups", "scim_users", "scim_tokens"):
        op.drop_table(table)
