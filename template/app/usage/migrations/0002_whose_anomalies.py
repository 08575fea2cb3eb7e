"""Whose hour was strange: the organisation's, or that of a feature, a model or a person."""

import sqlalchemy as sa
from alembic import op

revision = "usage_0002"
down_revision = "usage_0001"

LOCKS = "a row for each strange hour of a year: few"
OLD = "uq_usage_anomalies_organization_id_started_at"
NEW = "uq_usage_anomalies_whose"


def upgrade() -> None:
    op.add_column(
        "usage_anomalies",
        sa.Column("kind", sa.String(12), server_default="organization", nullable=False),
    )
    op.add_column(
        "usage_anomalies", sa.Column("name", sa.String(200), server_default="", nullable=False)
    )
    op.add_column("usage_anomalies", sa.Column("user_id", sa.Uuid()))
    op.create_foreign_key(
        "fk_usage_anomalies_user_id",
        "usage_anomalies",
        "users",
        ["user_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_unique_constraint(
        NEW,
        "usage_anomalies",
        ["organization_id", "kind", "name", "user_id", "started_at"],
        postgresql_nulls_not_distinct=True,
    )
    op.drop_constraint(OLD, "usage_anomalies")


def downgrade() -> None:
    op.execute("DELETE FROM usage_anomalies WHERE kind <> 'organization'")
    op.create_unique_constraint(OLD, "usage_anomalies", ["organization_id", "started_at"])
    op.drop_constraint(NEW, "usage_anomalies")
    op.drop_column("usage_anomalies", "user_id")
    op.drop_column("usage_anomalies", "name")
    op.drop_column("usage_anomalies", "kind")
