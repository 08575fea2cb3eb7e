"""What organisations set, version by version, and the clock that tells processes of changes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.core.row_security import give_function, open_to_auth, protect

revision = "guardrails_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)

TICK = """
CREATE FUNCTION guard_settings_tick() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE guard_settings_clock SET ticks = ticks + 1;
    RETURN NULL;
END
$$
"""


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
    op.create_table(
        "guard_settings_clock",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("ticks", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_guard_settings_clock"),
    )
    op.execute("INSERT INTO guard_settings_clock (id, ticks) VALUES (gen_random_uuid(), 0)")
    op.execute("GRANT SELECT ON guard_settings_clock TO app")
    op.execute("GRANT SELECT, UPDATE ON guard_settings_clock TO app_auth")
    op.execute(TICK)
    op.execute(
        "CREATE TRIGGER tick AFTER INSERT ON guard_settings"
        " FOR EACH STATEMENT EXECUTE FUNCTION guard_settings_tick()"
    )
    give_function("guard_settings_tick()", to="app_auth", callers="app")
    # A version is never changed: calls refer to it.
    protect("guard_settings", grant_to_app="SELECT, INSERT")
    open_to_auth("guard_settings", "SELECT")


def downgrade() -> None:
    op.drop_table("guard_settings")
    op.drop_table("guard_settings_clock")
    op.execute("DROP FUNCTION guard_settings_tick()")
