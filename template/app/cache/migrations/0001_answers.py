"""Answers and vectors that are kept, what that saved, and the two functions of a call's path.

Each is one round trip, names the organisation for the transaction, and row security holds inside.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from app.core.row_security import open_to_auth, protect
from app.core.vectors import Vector

revision = "cache_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)
THIS = sa.text("(pg_current_xact_id()::text::bigint)")

# With `loose` what is old is good enough: there is nobody else to ask. `began` and `seen` say when
# the call began and which emptyings it knew of, by the database's own clock and transactions.
FIND = """
CREATE FUNCTION cache_find(
    organization uuid, wanted bytea, loose boolean, seconds_ago float8,
    OUT entry uuid, OUT said text, OUT told jsonb, OUT age float8,
    OUT began timestamptz, OUT seen text
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.organization_id', organization::text, true);
    began := clock_timestamp() - make_interval(secs => seconds_ago);
    seen := pg_current_snapshot()::text;
    IF loose THEN
        SELECT a.id, a.text, a.details, extract(epoch FROM clock_timestamp() - a.created_at)
        INTO entry, said, told, age FROM cached_answers a
        WHERE a.organization_id = organization AND a.loose_key = wanted
        ORDER BY a.created_at DESC LIMIT 1;
    ELSE
        SELECT a.id, a.text, a.details, extract(epoch FROM clock_timestamp() - a.created_at)
        INTO entry, said, told, age FROM cached_answers a
        WHERE a.organization_id = organization AND a.key = wanted
          AND a.expires_at > clock_timestamp();
    END IF;
END
$$
"""

# `what` is exact, similar, stale or missed. What was emptied while the model worked is not kept;
# while something is being emptied nothing can be, since nobody sees yet what: then it is false.
NOTE = """
CREATE FUNCTION cache_note(
    organization uuid, person uuid, purpose text, what text, entry uuid,
    of_prompt text, wanted bytea, loose bytea, in_scope bytea, signed bytea, vector text,
    by_model text, from_documents boolean, said text, told jsonb, more_tokens bigint,
    more_microdollars bigint, seconds float8, began timestamptz, seen text
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    saved_tokens bigint := 0;
    saved_microdollars bigint := 0;
BEGIN
    PERFORM set_config('app.organization_id', organization::text, true),
            set_config('synchronous_commit', 'off', true);
    IF entry IS NULL AND said IS NOT NULL AND NOT (
        pg_try_advisory_xact_lock_shared(8086, 0)
        AND pg_try_advisory_xact_lock(8086, hashtext(organization::text))
    ) THEN
        RETURN false;
    END IF;
    IF entry IS NOT NULL THEN
        UPDATE cached_answers a SET hits = a.hits + 1, used_at = clock_timestamp()
        WHERE a.id = entry RETURNING a.tokens, a.microdollars
        INTO saved_tokens, saved_microdollars;
    ELSIF said IS NOT NULL AND NOT EXISTS (
        SELECT FROM cache_emptyings e
        WHERE (e.whose = organization OR e.whose IS NULL)
          AND (
              e.created_at > began
              OR NOT pg_visible_in_snapshot(e.transaction::text::xid8, seen::pg_snapshot)
          )
    ) THEN
        INSERT INTO cached_answers AS a (
            id, created_at, organization_id, user_id, feature, prompt, key, loose_key, scope,
            signature, embedding, made_by, with_documents, text, details, tokens, microdollars,
            hits, used_at, expires_at
        ) VALUES (
            gen_random_uuid(), clock_timestamp(), organization, person, purpose, of_prompt, wanted,
            loose, in_scope, signed, vector::halfvec, by_model, from_documents, said, told,
            more_tokens, more_microdollars, 0, clock_timestamp(),
            clock_timestamp() + make_interval(secs => seconds)
        ) ON CONFLICT (organization_id, key) DO UPDATE
        SET created_at = excluded.created_at, user_id = excluded.user_id, text = excluded.text,
            scope = excluded.scope, signature = excluded.signature,
            embedding = excluded.embedding, made_by = excluded.made_by,
            details = excluded.details, tokens = excluded.tokens, used_at = excluded.used_at,
            microdollars = excluded.microdollars, expires_at = excluded.expires_at;
    END IF;
    INSERT INTO cache_days AS d (
        id, organization_id, day, feature, exact, alike, stale, missed, tokens, microdollars,
        checked, agreed
    ) VALUES (
        gen_random_uuid(), organization, (clock_timestamp() AT TIME ZONE 'UTC')::date, purpose,
        (what = 'exact')::int, (what = 'similar')::int, (what = 'stale')::int,
        (what = 'missed')::int, coalesce(saved_tokens, 0), coalesce(saved_microdollars, 0), 0, 0
    ) ON CONFLICT (organization_id, day, feature) DO UPDATE
    SET exact = d.exact + excluded.exact, alike = d.alike + excluded.alike,
        stale = d.stale + excluded.stale, missed = d.missed + excluded.missed,
        tokens = d.tokens + excluded.tokens, microdollars = d.microdollars + excluded.microdollars;
    RETURN true;
END
$$
"""


def upgrade() -> None:
    _create_answers()
    _create_days()
    _create_vectors()
    op.create_table(
        "cache_emptyings",
        *_row(),
        sa.Column("whose", sa.Uuid()),
        sa.Column("transaction", sa.BigInteger(), server_default=THIS, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cache_emptyings"),
    )
    op.execute("GRANT SELECT, INSERT, DELETE ON cache_emptyings TO app, app_auth")
    for table in ("cached_answers", "cache_days", "cached_vectors"):
        protect(table)
        # Releases, switches and the job that evicts concern every organisation.
        open_to_auth(table, "SELECT, UPDATE, DELETE")
    for function in (FIND, NOTE):
        op.execute(function)
    for name in ("cache_find", "cache_note"):
        op.execute(f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {name} TO app")


def _row() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.clock_timestamp(), nullable=False),
    ]


def _of(table: str) -> list[sa.Constraint]:
    return [
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=f"fk_{table}_organization_id",
            ondelete="CASCADE",
        ),
    ]


def _numbers(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def _create_answers() -> None:
    op.create_table(
        "cached_answers",
        *_row(),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("feature", sa.String(60), nullable=False),
        sa.Column("prompt", sa.String(80), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("loose_key", sa.LargeBinary(), nullable=False),
        sa.Column("scope", sa.LargeBinary()),
        sa.Column("signature", sa.LargeBinary()),
        sa.Column("embedding", Vector(1024)),
        sa.Column("made_by", sa.String(240), nullable=False),
        sa.Column("with_documents", sa.Boolean(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("details", JSONB(), nullable=False),
        *_numbers("tokens", "microdollars", "hits"),
        sa.Column("used_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        *_of("cached_answers"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_cached_answers_user_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("organization_id", "key", name="uq_cached_answers_organization_id_key"),
    )
    op.create_index("ix_cached_answers_user_id", "cached_answers", ["user_id"])
    op.create_index(
        "ix_cached_answers_loose_key", "cached_answers", ["organization_id", "loose_key"]
    )
    op.create_index(
        "ix_cached_answers_scope", "cached_answers", ["organization_id", "scope", "signature"]
    )


def _create_days() -> None:
    op.create_table(
        "cache_days",
        *_row(),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("feature", sa.String(60), nullable=False),
        *_numbers("exact", "alike", "stale", "missed", "tokens", "microdollars"),
        *_numbers("checked", "agreed"),
        *_of("cache_days"),
        sa.UniqueConstraint(
            "organization_id", "day", "feature", name="uq_cache_days_organization_id_day_feature"
        ),
    )


def _create_vectors() -> None:
    op.create_table(
        "cached_vectors",
        *_row(),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("made_by", sa.String(240), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("numbers", sa.Integer(), nullable=False),
        sa.Column("embedding", Vector(1024), nullable=False),
        *_of("cached_vectors"),
        sa.UniqueConstraint(
            "organization_id",
            "made_by",
            "digest",
            name="uq_cached_vectors_organization_id_made_by_digest",
        ),
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION cache_note")
    op.execute("DROP FUNCTION cache_find")
    for table in ("cache_emptyings", "cached_vectors", "cache_days", "cached_answers"):
        op.drop_table(table)
