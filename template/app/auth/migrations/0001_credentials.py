"""Passwords, second factors and mailed links: only app_auth sees them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from app.core.row_security import protect_auth

revision = "auth_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)


def _table(name: str, *columns: sa.Column[object], unique: Sequence[str] = ()) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=f"fk_{name}_user_id", ondelete="CASCADE"
        ),
    )
    if unique:
        op.create_unique_constraint(f"uq_{name}_{'_'.join(unique)}", name, [*unique])
    else:
        op.create_index(f"ix_{name}_user_id", name, ["user_id"])
    protect_auth(name)


def upgrade() -> None:
    _table("passwords", sa.Column("hash", sa.String(255), nullable=False), unique=["user_id"])
    _table(
        "second_factors",
        sa.Column("kind", sa.String(20), nullable=False),
        unique=["user_id", "kind"],
    )
    _table(
        "totp_devices",
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("confirmed_at", MOMENT),
        sa.Column("last_step", sa.BigInteger()),
        unique=["user_id"],
    )
    _table(
        "recovery_codes",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", MOMENT),
    )
    _table(
        "one_time_links",
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("password_hash", sa.String(255)),
        sa.Column("display_name", sa.String(120)),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
    )
    op.create_unique_constraint(
        "uq_one_time_links_token_digest", "one_time_links", ["token_digest"]
    )


def downgrade() -> None:
    for table in (
        "one_time_links",
        "recovery_codes",
        "totp_devices",
        "second_factors",
        "passwords",
    ):
        op.drop_table(table)
