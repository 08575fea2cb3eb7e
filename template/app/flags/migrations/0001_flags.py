"""Flags. Only app_auth writes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.clocks.triggers import tick

revision = "flags_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "feature_flags",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("share", sa.Integer(), nullable=False),
        sa.Column("organizations", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("off_for", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.String(36)), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("changed_by", sa.Uuid()),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feature_flags"),
        sa.ForeignKeyConstraint(
            ["changed_by"], ["users.id"], name="fk_feature_flags_changed_by", ondelete="SET NULL"
        ),
        sa.UniqueConstraint("name", name="uq_feature_flags_name"),
        sa.CheckConstraint("share BETWEEN 0 AND 100", name="ck_feature_flags_share"),
    )
    op.execute("GRANT SELECT ON feature_flags TO app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON feature_flags TO app_auth")
    tick("flags", "feature_flags")


def downgrade() -> None:
    op.drop_table("feature_flags")
