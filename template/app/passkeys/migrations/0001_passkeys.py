"""Passkeys, what their devices call people, and challenges: only app_auth sees them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from app.core.row_security import protect_auth

revision = "passkeys_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)


def _table(name: str, *columns: sa.Column[Any] | sa.Constraint, **options: Any) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        **options,
    )
    protect_auth(name)


def _person(table: str) -> sa.Constraint:
    return sa.ForeignKeyConstraint(
        ["user_id"], ["users.id"], name=f"fk_{table}_user_id", ondelete="CASCADE"
    )


def upgrade() -> None:
    _table(
        "passkeys",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        _person("passkeys"),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("aaguid", sa.Uuid(), nullable=False),
        sa.Column("transports", sa.JSON(), nullable=False),
        sa.Column("synced", sa.Boolean(), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("last_used_at", MOMENT),
        sa.Column("copied_at", MOMENT),
        sa.UniqueConstraint("credential_id", name="uq_passkeys_credential_id"),
    )
    op.create_index("ix_passkeys_user_id", "passkeys", ["user_id"])
    _table(
        "passkey_handles",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        _person("passkey_handles"),
        sa.Column("handle", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("user_id", name="uq_passkey_handles_user_id"),
        sa.UniqueConstraint("handle", name="uq_passkey_handles_handle"),
    )
    _table(
        "passkey_challenges",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("browser", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.UniqueConstraint("digest", name="uq_passkey_challenges_digest"),
        prefixes=["UNLOGGED"],
    )
    op.create_index("ix_passkey_challenges_expires_at", "passkey_challenges", ["expires_at"])


def downgrade() -> None:
    for table in ("passkey_challenges", "passkey_handles", "passkeys"):
        op.drop_table(table)
