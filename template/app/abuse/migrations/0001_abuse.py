"""Counters, what was seen and what is done about it."""

import sqlalchemy as sa
from alembic import op

from app.core.row_security import open_to_auth, protect

revision = "abuse_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)

# Those who run the app are the administrators of this organisation: `app create-admin` makes them.
# What concerns the whole app belongs to it. As app_auth.
OPERATOR = """
CREATE FUNCTION abuse_operator(wanted text, called text) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE found_id uuid;
BEGIN
    LOOP
        SELECT o.id INTO found_id FROM organizations o WHERE o.slug = wanted;
        EXIT WHEN FOUND;
        INSERT INTO organizations (id, name, slug) VALUES (gen_random_uuid(), called, wanted)
        ON CONFLICT DO NOTHING;
    END LOOP;
    RETURN found_id;
END
$$
"""
# Adds to what a subject did in this window; how many different ones there are now.
COUNT = """
CREATE FUNCTION abuse_count(counter uuid, counted text, given bigint[], seconds int, most int)
RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    oldest timestamptz := moment - make_interval(secs => seconds);
    different int;
BEGIN
    INSERT INTO abuse_counters AS c (id, what, started_at, total, items)
    VALUES (counter, counted, moment, cardinality(given), given)
    ON CONFLICT (id, what) DO UPDATE SET
        started_at = CASE WHEN c.started_at < oldest THEN moment ELSE c.started_at END,
        total = CASE WHEN c.started_at < oldest THEN 0 ELSE c.total END + cardinality(given),
        items = CASE
            WHEN c.started_at < oldest THEN given
            WHEN given <@ c.items OR cardinality(c.items) >= most THEN c.items
            ELSE array(SELECT DISTINCT unnest(c.items || given))
        END
    RETURNING cardinality(c.items) INTO different;
    RETURN different;
END
$$
"""
# One more in these ten minutes. `usual` is the median of the highest ten minutes of each of the
# last fourteen days: a rush at nine is usual, one bad day is not. Looked up when it may matter.
TALLY = """
CREATE FUNCTION abuse_tally(
    organization uuid, counted text, least_of_all int, OUT here int, OUT usual int
) LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    begun timestamptz := to_timestamp(floor(extract(epoch FROM moment) / 600) * 600);
    today timestamptz := date_trunc('day', moment);
BEGIN
    INSERT INTO abuse_tallies AS t (id, organization_id, what, started_at, count)
    VALUES (gen_random_uuid(), organization, counted, begun, 1)
    ON CONFLICT (organization_id, what, started_at) DO UPDATE SET count = t.count + 1
    RETURNING t.count INTO here;
    usual := 0;
    IF here >= least_of_all THEN
        SELECT coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY d.peak), 0)::int INTO usual
          FROM (
            SELECT max(t.count) AS peak FROM abuse_tallies t
             WHERE t.organization_id = organization AND t.what = counted
               AND t.started_at >= today - interval '14 days' AND t.started_at < today
             GROUP BY date_trunc('day', t.started_at)
          ) d;
    END IF;
END
$$
"""
# All that a failed sign-in of a stranger adds to, in one round trip. Hardly tried logins are told
# by the lockout's own counter: who sprays tries each once or twice.
FAILED = """
CREATE FUNCTION abuse_sign_in_failed(
    address uuid, network uuid, login bigint, most int, lockout uuid, organization uuid,
    slug text, called text, least_of_all int
) RETURNS TABLE (
    at_address int, in_network int, here int, usual int, here_in_it int, usual_in_it int
) LANGUAGE plpgsql AS $$
DECLARE tries int; runs_it uuid;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true), set_config('role', 'app_auth', true);
    at_address := abuse_count(address, 'logins', ARRAY[login], 3600, most);
    in_network := abuse_count(network, 'logins', ARRAY[login], 3600, most * 3);
    SELECT l.attempts INTO tries FROM lockouts l WHERE l.id = lockout;
    IF coalesce(tries, 1) <= 2 THEN
        runs_it := abuse_operator(slug, called);
        SELECT * INTO here, usual FROM abuse_tally(runs_it, 'failures', least_of_all);
        -- For nobody, too, or the time would tell who has an account.
        SELECT * INTO here_in_it, usual_in_it FROM abuse_tally(
            coalesce(organization, runs_it),
            CASE WHEN organization IS NULL THEN 'of nobody' ELSE 'own failures' END, least_of_all
        );
    END IF;
    RETURN NEXT;
END
$$
"""
SIGNED_UP = """
CREATE FUNCTION abuse_sign_up(
    network uuid, login bigint, most int, slug text, called text, least_of_all int
) RETURNS TABLE (in_network int, here int, usual int) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true), set_config('role', 'app_auth', true);
    in_network := abuse_count(network, 'sign-ups', ARRAY[login], 3600, most);
    SELECT * INTO here, usual
      FROM abuse_tally(abuse_operator(slug, called), 'sign-ups', least_of_all);
    RETURN NEXT;
END
$$
"""
# Writes down what was seen and sets the measure that follows, and tells the audit log when either
# is news. A measure never gets milder or shorter by this way.
SEE = """
CREATE FUNCTION abuse_see(
    seen varchar, organization uuid, slug text, called text, whose_kind varchar, shown varchar,
    whose uuid, how_many int, how_many_are_usual int, wanted varchar, holds_for varchar,
    seconds int, event_id uuid, measure_id uuid, request text, from_network text
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    ranks CONSTANT varchar[] := ARRAY['slow', 'challenge', 'suspend'];
    news boolean := false;
    known uuid;
    holding record;
BEGIN
    PERFORM set_config('role', 'app_auth', true);
    PERFORM pg_advisory_xact_lock(hashtextextended('abuse ' || whose, 0));
    organization := coalesce(organization, abuse_operator(slug, called));
    SELECT s.id INTO known FROM abuse_sightings s
     WHERE s.subject_key = whose AND s.kind = seen AND s.organization_id = organization
       AND s.last_at > moment - interval '1 hour';
    IF FOUND THEN
        UPDATE abuse_sightings s
           SET count = greatest(s.count, how_many), last_at = moment, measure = CASE
               WHEN coalesce(array_position(ranks, wanted), 0)
                  > coalesce(array_position(ranks, s.measure), 0) THEN wanted ELSE s.measure END
         WHERE s.id = known;
    ELSE
        news := true;
        INSERT INTO abuse_sightings (
            id, organization_id, kind, subject_kind, subject, subject_key, count, usual, measure,
            last_at
        ) VALUES (
            measure_id, organization, seen, whose_kind, shown, whose, how_many,
            how_many_are_usual, wanted, moment
        );
    END IF;
    IF wanted IS NOT NULL THEN
        SELECT m.id, m.measure, m.until INTO holding FROM abuse_measures m
         WHERE m.subject_key = whose AND m.organization_id = organization
           AND m.scope IN (holds_for, 'all') AND m.lifted_at IS NULL AND m.until > moment
         ORDER BY array_position(ranks, m.measure) DESC LIMIT 1;
        IF NOT FOUND
           OR array_position(ranks, wanted) > array_position(ranks, holding.measure) THEN
            news := true;
            INSERT INTO abuse_measures (
                id, organization_id, measure, scope, subject_kind, subject, subject_key, because,
                until
            ) VALUES (
                measure_id, organization, wanted, holds_for, whose_kind, shown, whose, seen,
                moment + make_interval(secs => seconds)
            );
        END IF;
    END IF;
    IF news THEN
        PERFORM audit_append(
            event_id, organization, NULL, NULL, 'abuse.seen', shown, jsonb_build_object(
                'kind', seen, 'of', whose_kind, 'count', how_many, 'measure', wanted
            ), request, from_network
        );
    END IF;
    RETURN news;
END
$$
"""
IN_FORCE = """
CREATE FUNCTION abuse_in_force() RETURNS TABLE (
    subject_key uuid, measure varchar, scope varchar, until timestamptz
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('role', 'app_auth', true);
    RETURN QUERY
    SELECT m.subject_key, m.measure, m.scope, m.until FROM abuse_measures m
     WHERE m.until > clock_timestamp() AND m.lifted_at IS NULL
     ORDER BY m.until DESC LIMIT 10000;
END
$$
"""
FUNCTIONS = (
    "abuse_operator, abuse_count, abuse_tally, abuse_sign_in_failed, abuse_sign_up, abuse_see,"
    " abuse_in_force"
)


def _row() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
    ]


def _owned(name: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        name,
        *_row(),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=f"fk_{name}_organization_id",
            ondelete="CASCADE",
        ),
    )


def _subject() -> list[sa.Column[object]]:
    return [
        sa.Column("subject_kind", sa.String(12), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("subject_key", sa.Uuid(), nullable=False),
    ]


def upgrade() -> None:
    op.create_table(
        "abuse_counters",
        *_row(),
        sa.Column("what", sa.String(20), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("items", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("id", "what", name="pk_abuse_counters"),
        prefixes=["UNLOGGED"],
    )
    op.create_index("ix_abuse_counters_started_at", "abuse_counters", ["started_at"])
    _owned(
        "abuse_tallies",
        sa.Column("what", sa.String(20), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
    )
    op.create_unique_constraint(
        "uq_abuse_tallies_organization_id_what_started_at",
        "abuse_tallies",
        ["organization_id", "what", "started_at"],
    )
    _owned(
        "abuse_sightings",
        sa.Column("kind", sa.String(20), nullable=False),
        *_subject(),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("usual", sa.Integer(), nullable=False),
        sa.Column("measure", sa.String(10)),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("alerted_at", MOMENT),
    )
    op.create_index("ix_abuse_sightings_subject", "abuse_sightings", ["subject_key", "last_at"])
    _owned(
        "abuse_measures",
        sa.Column("measure", sa.String(10), nullable=False),
        sa.Column("scope", sa.String(10), nullable=False),
        *_subject(),
        sa.Column("because", sa.String(300), nullable=False),
        sa.Column("set_by", sa.Uuid()),
        sa.Column("until", MOMENT, nullable=False),
        sa.Column("lifted_at", MOMENT),
        sa.Column("lifted_by", sa.Uuid()),
        sa.Column("lifted_because", sa.String(300)),
    )
    op.create_check_constraint(
        "ck_abuse_measures_measure", "abuse_measures", "measure IN ('slow', 'challenge', 'suspend')"
    )
    op.create_index("ix_abuse_measures_subject", "abuse_measures", ["subject_key", "until"])
    op.create_index("ix_abuse_measures_until", "abuse_measures", ["until"])
    for table in ("abuse_sightings", "abuse_measures"):
        op.create_index(f"ix_{table}_organization_id", table, ["organization_id"])
    protect("abuse_tallies", grant_to_app="")
    protect("abuse_sightings", grant_to_app="SELECT")
    protect("abuse_measures", grant_to_app="SELECT, INSERT, UPDATE")
    for table in ("abuse_tallies", "abuse_sightings", "abuse_measures"):
        open_to_auth(table)
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON abuse_counters TO app, app_auth")
    # They work as whoever calls them, and become app_auth by themselves as the app does.
    for function in (OPERATOR, COUNT, TALLY, FAILED, SIGNED_UP, SEE, IN_FORCE):
        op.execute(function)
    op.execute(f"REVOKE EXECUTE ON FUNCTION {FUNCTIONS} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {FUNCTIONS} TO app, app_auth")


def downgrade() -> None:
    op.execute(f"DROP FUNCTION {FUNCTIONS}")
    for table in ("abuse_measures", "abuse_sightings", "abuse_tallies", "abuse_counters"):
        op.drop_table(table)
