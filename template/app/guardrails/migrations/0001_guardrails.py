"""What organisations set, version by version."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.clocks.triggers import tick
from app.core.row_security import open_to_auth, protect

revision = "guardrails_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "guard_settings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("actions", postgresql.JSONB(), nullable=False),
        sa.Column("words", postgresql.ARRAY(sa.String(80)), nullable=False),
        sa.Column("words_action", sa.String(6), nullable=False),
        sa.Column("changed_by", sa.Uuid()),
        sa.PrimaryKeyConstraint("id", name="pk_guard_settings"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name="fk_guard_settings_organization_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["changed_by"], ["users.id"], name="fk_guard_settings_changed_by", ondelete="SET NULL"
        ),
        sa.UniqueConstraint(
            "organization_id", "version", name="uq_guard_settings_organization_id_version"
        ),
    )
    # A version is never changed: calls refer to it.
    protect("guard_settings", grant_to_app="SELECT, INSERT")
    open_to_auth("guard_settings", "SELECT")
    tick("guards", "guard_settings")


def downgrade() -> None:
    op.drop_table("guard_settings")
