"""Rates and lockouts."""

import sqlalchemy as sa
from alembic import op

revision = "limits_0001"
down_revision = None

# Time is the database's, taken after the row is locked: all processes count by one clock.
TAKE = """
CREATE FUNCTION take_from_limit(
    limit_id uuid, spacing float8, depth int, needed int, wanted int,
    OUT granted int, OUT retry_after float8
) LANGUAGE plpgsql AS $$
DECLARE
    full_before timestamptz;
    moment timestamptz;
    backlog float8;
BEGIN
    LOOP
        SELECT r.full_at INTO full_before FROM rate_limits r WHERE r.id = limit_id FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO rate_limits (id, full_at) VALUES (limit_id, clock_timestamp())
        ON CONFLICT DO NOTHING;
    END LOOP;
    moment := clock_timestamp();
    backlog := greatest(extract(epoch FROM full_before - moment), 0);
    granted := least(wanted, floor(depth - backlog / spacing + 1e-6));
    retry_after := 0;
    IF granted < needed THEN
        granted := 0;
        retry_after := backlog - (depth - needed) * spacing;
        RETURN;
    END IF;
    UPDATE rate_limits r
    SET full_at = greatest(r.full_at, moment) + make_interval(secs => granted * spacing)
    WHERE r.id = limit_id;
END
$$
"""


# Two seconds after one attempt more than is free, then twice as long each time.
WAIT = """
CREATE FUNCTION lockout_wait(attempts int, free int, longest int) RETURNS interval
LANGUAGE sql IMMUTABLE RETURN make_interval(secs =>
    CASE WHEN attempts > free THEN least(2.0 ^ least(attempts - free, 30), longest) ELSE 0 END
)
"""

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "rate_limits",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("full_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rate_limits"),
        prefixes=["UNLOGGED"],
        # Room in each page, so that an update stays in it and touches no index.
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "lockouts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("unsettled", sa.Integer(), nullable=False),
        sa.Column("locked_until", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lockouts"),
    )
    op.create_index("ix_lockouts_updated_at", "lockouts", ["updated_at"])
    op.execute(TAKE)
    op.execute(WAIT)
    op.execute("REVOKE EXECUTE ON FUNCTION take_from_limit, lockout_wait FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION take_from_limit, lockout_wait TO app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON rate_limits, lockouts TO app")


def downgrade() -> None:
    op.execute("DROP FUNCTION lockout_wait")
    op.execute("DROP FUNCTION take_from_limit")
    op.drop_table("lockouts")
    op.drop_table("rate_limits")
