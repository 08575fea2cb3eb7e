"""The clocks, and the trigger that moves one. Only app_auth writes, in the trigger's name."""

import sqlalchemy as sa
from alembic import op

from app.core.row_security import give_function

revision = "clocks_0001"
down_revision = None

# In the transaction of the change: who sees the tick sees the change.
TICK = """
CREATE FUNCTION tick_clock() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO clocks AS c (id, name, ticks) VALUES (gen_random_uuid(), TG_ARGV[0], 1)
    ON CONFLICT (name) DO UPDATE SET ticks = c.ticks + 1;
    RETURN NULL;
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "clocks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.now(),
            nullable=False,
        ),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("ticks", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_clocks"),
        sa.UniqueConstraint("name", name="uq_clocks_name"),
    )
    op.execute("GRANT SELECT ON clocks TO app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON clocks TO app_auth")
    op.execute(TICK)
    # Whoever runs migrations puts it on tables; nobody calls it.
    give_function("tick_clock()", to="app_auth", callers="CURRENT_USER")


def downgrade() -> None:
    op.drop_table("clocks")
    op.execute("DROP FUNCTION tick_clock()")
