"""The most that an organisation may use, which its administrators cannot raise.

Without a row the settings say it. What the administrators set binds below it: least() passes over
what is NULL, as no limit is.
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

from app.core.row_security import open_to_auth, protect

revision = "usage_0004"
down_revision = "usage_0003"

# As it was, and with the ceilings: the version before meets them, too.
RESERVE = """
CREATE OR REPLACE FUNCTION usage_reserve(
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
    SELECT l.cost_center,
           least(l.calls_per_hour, coalesce(c.calls_per_hour, organization_calls_hour))
               AS calls_per_hour,
           least(l.calls_per_day, coalesce(c.calls_per_day, organization_calls_day))
               AS calls_per_day,
           least(l.tokens_per_hour, coalesce(c.tokens_per_hour, organization_hour))
               AS tokens_per_hour,
           least(l.tokens_per_day, coalesce(c.tokens_per_day, organization_day))
               AS tokens_per_day,
           least(l.microdollars_per_month, coalesce(c.microdollars_per_month, organization_month))
               AS microdollars_per_month
    INTO everyone
    FROM (SELECT) one
    LEFT JOIN usage_limits l ON l.organization_id = organization AND l.user_id IS NULL
    LEFT JOIN usage_ceilings c ON c.organization_id = organization;
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
                WHEN 'hour' THEN everyone.tokens_per_hour
                WHEN 'day' THEN everyone.tokens_per_day
                ELSE everyone.microdollars_per_month END
            ELSE CASE sums.period
                WHEN 'hour' THEN coalesce(own.tokens_per_hour, person_hour)
                WHEN 'day' THEN coalesce(own.tokens_per_day, person_day)
                ELSE coalesce(own.microdollars_per_month, person_month) END
        END;
        most_calls := CASE
            WHEN sums.user_id IS NULL THEN CASE sums.period
                WHEN 'hour' THEN everyone.calls_per_hour
                WHEN 'day' THEN everyone.calls_per_day END
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


def upgrade() -> None:
    amounts = ("calls_per_hour", "calls_per_day", "tokens_per_hour", "tokens_per_day")
    op.create_table(
        "usage_ceilings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.BigInteger()) for name in (*amounts, "microdollars_per_month")),
        sa.PrimaryKeyConstraint("id", name="pk_usage_ceilings"),
        sa.UniqueConstraint("organization_id", name="uq_usage_ceilings_organization_id"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name="fk_usage_ceilings_organization_id",
            ondelete="CASCADE",
        ),
    )
    protect("usage_ceilings", grant_to_app="SELECT")
    open_to_auth("usage_ceilings")
    # Of another ceiling is warned anew.
    op.execute("GRANT UPDATE (refused) ON usage_counters TO app_auth")
    op.execute(RESERVE)


def downgrade() -> None:
    before = import_module("app.usage.migrations.0003_installation").RESERVE
    op.execute(before.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.execute("REVOKE UPDATE (refused) ON usage_counters FROM app_auth")
    op.drop_table("usage_ceilings")
