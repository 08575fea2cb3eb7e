"""What all organisations together spend in a month, and the budget that bounds it.

The sum follows the organisations' own sums by a trigger, so that the two cannot differ whatever
writes them. It is kept in sixteen rows: a settlement waits for the disk while it holds its row, and
calls of all organisations would queue for a single one. An organisation has always the same row,
and whoever locks it holds the organisation's rows already: nobody deadlocks.
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

from app.core.row_security import give_function, protect_auth

revision = "usage_0003"
down_revision = "usage_0002"

MOMENT = sa.DateTime(timezone=True)
CHANGED = (
    "old.microdollars <> new.microdollars OR old.reserved_microdollars <> new.reserved_microdollars"
)
WITHIN = "old.user_id IS NULL AND old.period = 'month'"

SHARE = """
CREATE FUNCTION usage_share(organization uuid) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT get_byte(uuid_send(organization), 15) % 16
$$
"""

# Of an organisation that goes, what is under way counts as spent: nobody can settle it any more.
FOLLOW = """
CREATE FUNCTION usage_installation_follow() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    CASE TG_OP
        WHEN 'UPDATE' THEN
            UPDATE usage_installation i
            SET microdollars = i.microdollars + new.microdollars - old.microdollars,
                reserved_microdollars = i.reserved_microdollars
                    + new.reserved_microdollars - old.reserved_microdollars
            WHERE i.starts_at = new.starts_at AND i.share = usage_share(new.organization_id);
        WHEN 'INSERT' THEN
            INSERT INTO usage_installation AS i (
                id, starts_at, share, microdollars, reserved_microdollars, refused
            ) VALUES (
                gen_random_uuid(), new.starts_at, usage_share(new.organization_id),
                new.microdollars, new.reserved_microdollars, 0
            ) ON CONFLICT ON CONSTRAINT uq_usage_installation_share DO UPDATE
            SET microdollars = i.microdollars + excluded.microdollars,
                reserved_microdollars = i.reserved_microdollars + excluded.reserved_microdollars;
        ELSE
            UPDATE usage_installation i
            SET microdollars = i.microdollars + old.reserved_microdollars,
                reserved_microdollars = i.reserved_microdollars - old.reserved_microdollars
            WHERE i.starts_at = old.starts_at AND i.share = usage_share(old.organization_id);
    END CASE;
    RETURN NULL;
END
$$
"""

# Whether what is reserved already fits, and nothing more: the sum is no tenant's business.
ALLOWS = """
CREATE FUNCTION usage_installation_allows(
    organization uuid, moment timestamptz, most bigint, counts boolean
) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    month timestamptz := date_trunc('month', moment, 'UTC');
BEGIN
    -- A budget of nothing refuses also what costs nothing.
    IF most > 0 AND most >= (
        SELECT sum(i.microdollars + i.reserved_microdollars)
        FROM usage_installation i WHERE i.starts_at = month
    ) THEN
        RETURN true;
    END IF;
    UPDATE usage_installation i SET refused = i.refused + counts::int
    WHERE i.starts_at = month AND i.share = usage_share(organization);
    RETURN false;
END
$$
"""

# As it was, and with the budget of all. The version before calls it without that one.
RESERVE = """
CREATE FUNCTION usage_reserve(
    call_id uuid, organization uuid, person uuid, purpose text, at_provider text, of_model text,
    of_prompt text, of_version int,
    more_tokens bigint, more_microdollars bigint, known boolean, seconds float8,
    person_hour bigint, person_day bigint, person_month bigint,
    person_calls_hour bigint, person_calls_day bigint,
    organization_hour bigint, organization_day bigint, organization_month bigint,
    organization_calls_hour bigint, organization_calls_day bigint, is_extra boolean,
    installation_month bigint DEFAULT NULL,
    OUT refused_by text, OUT again_at timestamptz
) LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    own record;
    everyone record;
    sums record;
    wanted bigint;
    most bigint;
    most_calls bigint;
    refusal text;
    refusals text[] := '{}';
BEGIN
    PERFORM set_config('app.organization_id', organization::text, true),
            set_config('app.user_id', coalesce(person::text, ''), true),
            -- Nobody waits for the disk while the sums are locked; usage_settle makes up for it.
            set_config('synchronous_commit', 'off', true);
    SELECT * INTO everyone FROM usage_limits l
    WHERE l.organization_id = organization AND l.user_id IS NULL;
    SELECT * INTO own FROM usage_limits l
    WHERE l.organization_id = organization AND l.user_id = person;
    FOR sums IN
        INSERT INTO usage_counters AS c (
            id, organization_id, user_id, period, starts_at, calls, tokens, microdollars,
            reserved_calls, reserved_tokens, reserved_microdollars, refused
        )
        SELECT gen_random_uuid(), organization, w.user_id, w.period, w.starts_at, 0, 0, 0,
               1, more_tokens, more_microdollars, 0
        FROM usage_windows(person, moment) w
        ON CONFLICT ON CONSTRAINT uq_usage_counters_window DO UPDATE
        SET reserved_calls = c.reserved_calls + 1,
            reserved_tokens = c.reserved_tokens + excluded.reserved_tokens,
            reserved_microdollars = c.reserved_microdollars + excluded.reserved_microdollars
        RETURNING c.user_id, c.period, c.starts_at, c.calls + c.reserved_calls AS calls,
                  c.tokens + c.reserved_tokens AS tokens,
                  c.microdollars + c.reserved_microdollars AS microdollars
    LOOP
        most := CASE
            WHEN sums.user_id IS NULL THEN CASE sums.period
                WHEN 'hour' THEN coalesce(everyone.tokens_per_hour, organization_hour)
                WHEN 'day' THEN coalesce(everyone.tokens_per_day, organization_day)
                ELSE coalesce(everyone.microdollars_per_month, organization_month) END
            ELSE CASE sums.period
                WHEN 'hour' THEN coalesce(own.tokens_per_hour, person_hour)
                WHEN 'day' THEN coalesce(own.tokens_per_day, person_day)
                ELSE coalesce(own.microdollars_per_month, person_month) END
        END;
        most_calls := CASE
            WHEN sums.user_id IS NULL THEN CASE sums.period
                WHEN 'hour' THEN coalesce(everyone.calls_per_hour, organization_calls_hour)
                WHEN 'day' THEN coalesce(everyone.calls_per_day, organization_calls_day) END
            ELSE CASE sums.period
                WHEN 'hour' THEN coalesce(own.calls_per_hour, person_calls_hour)
                WHEN 'day' THEN coalesce(own.calls_per_day, person_calls_day) END
        END;
        wanted := CASE sums.period WHEN 'month' THEN sums.microdollars ELSE sums.tokens END;
        refusal := CASE
            -- Nothing left refuses also what costs nothing.
            WHEN wanted > most OR most <= 0 THEN '_'
            WHEN sums.calls > most_calls THEN '_calls_'
        END;
        IF refusal IS NOT NULL THEN
            refusal := CASE WHEN sums.user_id IS NULL THEN 'organization'
                ELSE 'person' END || refusal || sums.period;
            refusals := refusals || refusal;
            -- Of several, the one that takes longest to pass: the others would send people in vain.
            IF refused_by IS NULL OR sums.period = 'month'
               OR (sums.period = 'day' AND refused_by LIKE '%_hour') THEN
                refused_by := refusal;
                SELECT w.ends_at INTO again_at FROM usage_windows(person, moment) w
                WHERE w.period = sums.period LIMIT 1;
            END IF;
        END IF;
    END LOOP;
    -- Last: who is refused by a budget of their own is told of that one.
    IF refused_by IS NULL AND installation_month IS NOT NULL AND NOT usage_installation_allows(
        organization, moment, installation_month, NOT is_extra
    ) THEN
        refused_by := 'installation_month';
        SELECT w.ends_at INTO again_at FROM usage_windows(person, moment) w
        WHERE w.period = 'month' LIMIT 1;
    END IF;
    IF refused_by IS NOT NULL THEN
        UPDATE usage_counters c
        SET reserved_calls = c.reserved_calls - 1,
            reserved_tokens = c.reserved_tokens - more_tokens,
            reserved_microdollars = c.reserved_microdollars - more_microdollars,
            refused = c.refused + CASE WHEN NOT is_extra AND
                CASE WHEN c.user_id IS NULL THEN 'organization_' ELSE 'person_' END || c.period
                = ANY (refusals) THEN 1 ELSE 0 END
        FROM usage_windows(person, moment) w
        WHERE c.organization_id = organization AND c.user_id IS NOT DISTINCT FROM w.user_id
          AND c.period = w.period AND c.starts_at = w.starts_at;
        RETURN;
    END IF;
    INSERT INTO usage_records (
        id, created_at, organization_id, user_id, feature, provider, model, state, outcome,
        reserved_tokens, reserved_microdollars, input_tokens, cached_input_tokens, output_tokens,
        microdollars, estimated, price_known, prompt, prompt_version, expires_at, cost_center
    ) VALUES (
        call_id, moment, organization, person, purpose, at_provider, of_model, 'reserved', '',
        more_tokens, more_microdollars, 0, 0, 0, 0, false, known, of_prompt, of_version,
        moment + make_interval(secs => seconds),
        coalesce(own.cost_center, everyone.cost_center, '')
    );
END
$$
"""

SO_FAR = """
INSERT INTO usage_installation (id, starts_at, share, microdollars, reserved_microdollars, refused)
SELECT gen_random_uuid(), c.starts_at, usage_share(c.organization_id), sum(c.microdollars),
       sum(c.reserved_microdollars), 0
FROM usage_counters c WHERE c.user_id IS NULL AND c.period = 'month' GROUP BY 2, 3
"""


def upgrade() -> None:
    op.create_table(
        "usage_installation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("share", sa.Integer(), nullable=False),
        sa.Column("microdollars", sa.BigInteger(), nullable=False),
        sa.Column("reserved_microdollars", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_usage_installation"),
        sa.UniqueConstraint("starts_at", "share", name="uq_usage_installation_share"),
        # Room in each page, so that an update stays in it and touches no index.
        postgresql_with={"fillfactor": 10},
    )
    for function in (SHARE, FOLLOW, ALLOWS):
        op.execute(function)
    # Row security would hide every organisation from the owner of the tables. Locked before the
    # triggers are made: who reads first and writes then would wait for this, and this for them.
    op.execute("ALTER TABLE usage_counters NO FORCE ROW LEVEL SECURITY")
    op.execute(SO_FAR)
    op.execute("ALTER TABLE usage_counters FORCE ROW LEVEL SECURITY")
    for event, when in (
        ("INSERT", WITHIN.replace("old", "new")),
        ("UPDATE", f"{WITHIN} AND ({CHANGED})"),
        ("DELETE", f"{WITHIN} AND old.reserved_microdollars <> 0"),
    ):
        op.execute(
            f"CREATE TRIGGER usage_installation_{event.lower()} AFTER {event} ON usage_counters"
            f" FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION usage_installation_follow()"
        )
    protect_auth("usage_installation")
    op.execute("REVOKE ALL ON FUNCTION usage_share(uuid) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION usage_share(uuid) TO app_auth")
    give_function("usage_installation_follow()", to="app_auth", callers="CURRENT_USER")
    give_function(
        "usage_installation_allows(uuid, timestamptz, bigint, boolean)",
        to="app_auth",
        callers="app",
    )
    op.execute("DROP FUNCTION usage_reserve")
    op.execute(RESERVE)
    op.execute("REVOKE ALL ON FUNCTION usage_reserve FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION usage_reserve TO app")


def downgrade() -> None:
    op.execute("DROP FUNCTION usage_reserve")
    op.execute(import_module("app.usage.migrations.0001_ledger").RESERVE)
    op.execute("REVOKE ALL ON FUNCTION usage_reserve FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION usage_reserve TO app")
    op.execute("DROP FUNCTION usage_installation_allows")
    op.execute("DROP FUNCTION usage_installation_follow CASCADE")
    op.drop_table("usage_installation")
    op.execute("DROP FUNCTION usage_share")
