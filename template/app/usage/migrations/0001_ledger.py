"""Ledger, counters, budgets, and the two functions that keep them in step.

Each is one round trip. Both name the organisation for the transaction; row security holds inside.
Windows are locked in one order, the organisation's first: calls wait for each other and never
deadlock.
"""

import sqlalchemy as sa
from alembic import op

from app.core.row_security import open_to_auth, protect

revision = "usage_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)

WINDOWS = """
CREATE FUNCTION usage_windows(person uuid, moment timestamptz)
RETURNS TABLE (user_id uuid, period text, starts_at timestamptz, ends_at timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT holder.id, span.period, date_trunc(span.period, moment, 'UTC'),
           (date_trunc(span.period, moment AT TIME ZONE 'UTC') + span.length) AT TIME ZONE 'UTC'
    FROM unnest(ARRAY[NULL, person]) WITH ORDINALITY AS holder (id, place),
         (VALUES ('day', interval '1 day'), ('hour', interval '1 hour'),
                 ('month', interval '1 month')) AS span (period, length)
    WHERE place = 1 OR person IS NOT NULL
    ORDER BY place, span.period
$$
"""

# A limit that is NULL does not bind. A refusal takes back what it added: nothing stays reserved.
RESERVE = """
CREATE FUNCTION usage_reserve(
    call_id uuid, organization uuid, person uuid, purpose text, at_provider text, of_model text,
    of_prompt text, of_version int,
    more_tokens bigint, more_microdollars bigint, known boolean, seconds float8,
    person_hour bigint, person_day bigint, person_month bigint,
    person_calls_hour bigint, person_calls_day bigint,
    organization_hour bigint, organization_day bigint, organization_month bigint,
    organization_calls_hour bigint, organization_calls_day bigint, is_extra boolean,
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

# A call whose reservation the sweep has given back already is booked all the same; so is one whose
# reservation was not yet on disk when the database lost its power.
SETTLE = """
CREATE FUNCTION usage_settle(
    call_id uuid, organization uuid, person uuid, purpose text, at_provider text,
    of_prompt text, of_version int, new_state text, how text, new_model text,
    given bigint, cached bigint, made bigint, cost bigint, counted boolean, known boolean,
    first_ms int
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    entry record;
    held boolean;  -- the sums still hold what was reserved
BEGIN
    PERFORM set_config('app.organization_id', organization::text, true);
    SELECT * INTO entry FROM usage_records r WHERE r.id = call_id
       AND (r.state = 'reserved' OR r.outcome = 'orphaned' AND how <> 'orphaned') FOR UPDATE;
    held := FOUND AND entry.state = 'reserved';
    IF entry.id IS NULL THEN
        IF new_state <> 'settled' THEN
            RETURN false;
        END IF;
        INSERT INTO usage_records (
            id, created_at, organization_id, user_id, feature, provider, model, state, outcome,
            reserved_tokens, reserved_microdollars, input_tokens, cached_input_tokens,
            output_tokens, microdollars, estimated, price_known, prompt, prompt_version, expires_at,
            cost_center
        ) VALUES (
            call_id, clock_timestamp(), organization, person, purpose, at_provider, new_model,
            'reserved', '', 0, 0, 0, 0, 0, 0, false, known, of_prompt, of_version,
            clock_timestamp(),
            coalesce((SELECT l.cost_center FROM usage_limits l
                      WHERE l.organization_id = organization AND l.cost_center IS NOT NULL
                        AND (l.user_id = person OR l.user_id IS NULL)
                      ORDER BY l.user_id NULLS LAST LIMIT 1), '')
        ) ON CONFLICT DO NOTHING RETURNING * INTO entry;
        IF NOT FOUND THEN
            RETURN false;
        END IF;
        INSERT INTO usage_counters (
            id, organization_id, user_id, period, starts_at, calls, tokens, microdollars,
            reserved_calls, reserved_tokens, reserved_microdollars, refused
        )
        SELECT gen_random_uuid(), organization, w.user_id, w.period, w.starts_at,
               0, 0, 0, 0, 0, 0, 0
        FROM usage_windows(person, entry.created_at) w
        ON CONFLICT ON CONSTRAINT uq_usage_counters_window DO NOTHING;
    END IF;
    UPDATE usage_records r
    SET state = new_state, outcome = how, provider = at_provider, model = new_model,
        input_tokens = given,
        cached_input_tokens = cached, output_tokens = made, microdollars = cost,
        estimated = counted, price_known = known, first_text_ms = first_ms,
        finished_at = clock_timestamp()
    WHERE r.id = call_id;
    PERFORM FROM usage_counters c, usage_windows(entry.user_id, entry.created_at) w
    WHERE c.organization_id = organization AND c.user_id IS NOT DISTINCT FROM w.user_id
      AND c.period = w.period AND c.starts_at = w.starts_at
    ORDER BY c.user_id NULLS FIRST, c.period FOR UPDATE OF c;
    UPDATE usage_counters c
    SET calls = c.calls + CASE new_state WHEN 'settled' THEN 1 ELSE 0 END,
        tokens = c.tokens + given + made,
        microdollars = c.microdollars + cost,
        reserved_calls = c.reserved_calls - CASE WHEN held THEN 1 ELSE 0 END,
        reserved_tokens = c.reserved_tokens - CASE WHEN held THEN entry.reserved_tokens ELSE 0 END,
        reserved_microdollars = c.reserved_microdollars
            - CASE WHEN held THEN entry.reserved_microdollars ELSE 0 END
    FROM usage_windows(entry.user_id, entry.created_at) w
    WHERE c.organization_id = organization AND c.user_id IS NOT DISTINCT FROM w.user_id
      AND c.period = w.period AND c.starts_at = w.starts_at;
    RETURN true;
END
$$
"""


def upgrade() -> None:
    _create_records()
    _create_counters()
    _create_limits()
    protect("usage_records", grant_to_app="SELECT, INSERT, UPDATE")
    protect("usage_counters")
    protect("usage_limits")
    # The sweep looks for what killed processes left behind, in every organisation.
    open_to_auth("usage_records", "SELECT")
    open_to_auth("usage_counters", "SELECT, DELETE")
    _create_told()
    # Warnings compare sums with budgets in every organisation.
    open_to_auth("usage_limits", "SELECT")
    for function in (WINDOWS, RESERVE, SETTLE):
        op.execute(function)
    for name in ("usage_windows", "usage_reserve", "usage_settle"):
        op.execute(f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {name} TO app")


def _start() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid()),
    ]


def _holder(table: str, *, person_gone: str) -> list[sa.Constraint]:
    return [
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=f"fk_{table}_organization_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=f"fk_{table}_user_id", ondelete=person_gone
        ),
    ]


def _numbers(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def _create_records() -> None:
    op.create_table(
        "usage_records",
        *_start(),
        sa.Column("feature", sa.String(60), nullable=False),
        sa.Column("provider", sa.String(40), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("prompt", sa.String(80), nullable=False),
        sa.Column("prompt_version", sa.Integer()),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        *_numbers("reserved_tokens", "reserved_microdollars", "input_tokens"),
        *_numbers("cached_input_tokens", "output_tokens", "microdollars"),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("price_known", sa.Boolean(), nullable=False),
        sa.Column("first_text_ms", sa.Integer()),
        sa.Column("cost_center", sa.String(60), server_default="", nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT),
        *_holder("usage_records", person_gone="SET NULL"),
        sa.CheckConstraint(
            "state IN ('reserved', 'settled', 'released')", name="ck_usage_records_state"
        ),
    )
    op.create_index("ix_usage_records_time", "usage_records", ["organization_id", "created_at"])
    op.create_index(
        "ix_usage_records_person", "usage_records", ["organization_id", "user_id", "created_at"]
    )
    op.create_index(
        "ix_usage_records_open",
        "usage_records",
        ["expires_at"],
        postgresql_where=sa.text("state = 'reserved'"),
    )


def _create_counters() -> None:
    op.create_table(
        "usage_counters",
        *_start(),
        sa.Column("period", sa.String(5), nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        *_numbers("calls", "tokens", "microdollars"),
        *_numbers("reserved_calls", "reserved_tokens", "reserved_microdollars", "refused"),
        *_holder("usage_counters", person_gone="CASCADE"),
        sa.UniqueConstraint(
            "organization_id",
            "user_id",
            "period",
            "starts_at",
            name="uq_usage_counters_window",
            postgresql_nulls_not_distinct=True,
        ),
        sa.CheckConstraint("period IN ('hour', 'day', 'month')", name="ck_usage_counters_period"),
        # Room in each page, so that an update stays in it and touches no index.
        postgresql_with={"fillfactor": 50},
    )


def _create_limits() -> None:
    op.create_table(
        "usage_limits",
        *_start(),
        sa.Column("calls_per_hour", sa.BigInteger()),
        sa.Column("calls_per_day", sa.BigInteger()),
        sa.Column("tokens_per_hour", sa.BigInteger()),
        sa.Column("tokens_per_day", sa.BigInteger()),
        sa.Column("microdollars_per_month", sa.BigInteger()),
        sa.Column("cost_center", sa.String(60)),
        *_holder("usage_limits", person_gone="CASCADE"),
        sa.UniqueConstraint(
            "organization_id",
            "user_id",
            name="uq_usage_limits_holder",
            postgresql_nulls_not_distinct=True,
        ),
    )


def _create_told() -> None:
    op.create_table(
        "usage_warnings",
        *_start(),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("share", sa.Integer(), nullable=False),
        *_holder("usage_warnings", person_gone="CASCADE"),
        sa.UniqueConstraint(
            "organization_id",
            "user_id",
            "starts_at",
            "share",
            name="uq_usage_warnings_once",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_table(
        "usage_anomalies",
        *_start()[:-1],
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("unit", sa.String(12), nullable=False),
        *_numbers("seen", "usual"),
        *_holder("usage_anomalies", person_gone="CASCADE")[:-1],
        sa.UniqueConstraint(
            "organization_id", "started_at", name="uq_usage_anomalies_organization_id_started_at"
        ),
    )
    for table in ("usage_warnings", "usage_anomalies"):
        protect(table, grant_to_app="SELECT")
        open_to_auth(table)


def downgrade() -> None:
    op.execute("DROP FUNCTION usage_settle")
    op.execute("DROP FUNCTION usage_reserve")
    op.execute("DROP FUNCTION usage_windows")
    for table in (
        "usage_anomalies",
        "usage_warnings",
        "usage_limits",
        "usage_counters",
        "usage_records",
    ):
        op.drop_table(table)
