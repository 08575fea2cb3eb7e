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

# Begins an attempt: the seconds to wait, 0 when it may go on. It counts when it begins: a hundred
# at once must not all find the counter at zero.
BEGIN = """
CREATE FUNCTION lockout_begin(counter uuid, free int, longest int) RETURNS float8
LANGUAGE plpgsql AS $$
DECLARE until timestamptz;
BEGIN
    -- No sign-in waits for the disk here: a crash may forget the attempts of its last second.
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO lockouts AS l (id, attempts, unsettled, locked_until, updated_at)
    VALUES (counter, 1, 1, clock_timestamp(), clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET
        attempts = l.attempts + 1,
        unsettled = l.unsettled + 1,
        locked_until = clock_timestamp() + lockout_wait(l.attempts + 1, free, longest),
        updated_at = clock_timestamp()
    WHERE l.locked_until <= clock_timestamp();
    IF FOUND THEN RETURN 0; END IF;
    SELECT l.locked_until INTO until FROM lockouts l WHERE l.id = counter;
    RETURN greatest(coalesce(extract(epoch FROM until - clock_timestamp()), 0), 0.001);
END
$$
"""
CLEAR = """
CREATE FUNCTION lockout_clear(counter uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM lockouts l WHERE l.id = counter;
END
$$
"""
FUNCTIONS = "take_from_limit, lockout_wait, lockout_begin, lockout_clear"

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
    op.create_table(
        "forgotten_devices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_forgotten_devices"),
    )
    for function in (TAKE, WAIT, BEGIN, CLEAR):
        op.execute(function)
    op.execute(f"REVOKE EXECUTE ON FUNCTION {FUNCTIONS} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {FUNCTIONS} TO app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON rate_limits, lockouts TO app")
    op.execute("GRANT SELECT, DELETE ON forgotten_devices TO app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON forgotten_devices TO app_auth")
    # For the statement that ends a sign-in: it clears the counter together with all it writes.
    op.execute("GRANT SELECT, DELETE ON lockouts TO app_auth")
    op.execute("GRANT EXECUTE ON FUNCTION lockout_clear TO app_auth")


def downgrade() -> None:
    op.execute(f"DROP FUNCTION {FUNCTIONS}")
    op.drop_table("forgotten_devices")
    op.drop_table("lockouts")
    op.drop_table("rate_limits")
