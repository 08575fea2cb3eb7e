"""Accounts elsewhere, and sign-ins under way: only app_auth sees them."""

import sqlalchemy as sa
from alembic import op

from app.core.row_security import protect_auth

revision = "sso_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)


def _row() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
    ]


def upgrade() -> None:
    op.create_table(
        "sso_identities",
        *_row(),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(30), nullable=False),
        sa.Column("issuer", sa.String(500), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("email", sa.String(254)),
        sa.Column("last_used_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_sso_identities"),
        sa.UniqueConstraint("issuer", "subject", name="uq_sso_identities_issuer_subject"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_sso_identities_user_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_sso_identities_user_id", "sso_identities", ["user_id"])
    op.create_table(
        "sso_attempts",
        *_row(),
        sa.Column("state_digest", sa.LargeBinary(), nullable=False),
        sa.Column("browser_digest", sa.LargeBinary(), nullable=False),
        sa.Column("provider", sa.String(30), nullable=False),
        sa.Column("purpose", sa.String(10), nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("next_path", sa.String(2000), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sso_attempts"),
        sa.UniqueConstraint("state_digest", name="uq_sso_attempts_state_digest"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_sso_attempts_user_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_sso_attempts_user_id", "sso_attempts", ["user_id"])
    for table in ("sso_identities", "sso_attempts"):
        protect_auth(table)


def downgrade() -> None:
    for table in ("sso_attempts", "sso_identities"):
        op.drop_table(table)
