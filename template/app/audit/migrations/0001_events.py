"""Events, the heads of their chains, and anchors."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from app.core.row_security import give_function

revision = "audit_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)

# The head is locked until the caller's transaction ends: appends to one chain stand in line, and
# the time is taken after the lock, so that order and time agree. What is hashed is the text of a
# JSON array; chain.py writes the same text. Qualified names, so that no schema can slip between.
APPEND = """
CREATE FUNCTION audit_append(
    event_id uuid, organization uuid, actor uuid, actor_session uuid, what text, target text,
    detail jsonb, request text, network text, behalf uuid DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    chain uuid := coalesce(organization, '00000000-0000-0000-0000-000000000000');
    tenant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
    before bytea;
    number bigint;
    moment timestamptz;
    sealed bytea;
BEGIN
    IF organization <> tenant AND current_setting('role') <> 'app_auth' THEN
        RAISE insufficient_privilege USING MESSAGE = 'the chain of another organisation';
    END IF;
    LOOP
        SELECT h.sequence + 1, h.hash INTO number, before
        FROM public.audit_heads h WHERE h.id = chain FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO public.audit_heads (id, organization_id, sequence, hash)
        VALUES (chain, organization, 0, decode(repeat('00', 32), 'hex'))
        ON CONFLICT DO NOTHING;
    END LOOP;
    moment := clock_timestamp();
    sealed := sha256(convert_to(jsonb_build_array(
        encode(before, 'hex'), event_id, organization, number,
        (extract(epoch FROM moment) * 1000000)::bigint,
        actor, actor_session, what, target, detail, request, network, behalf
    )::text, 'UTF8'));
    INSERT INTO public.audit_events (
        id, created_at, organization_id, sequence, user_id, session_id, action, target, detail,
        request_id, network, on_behalf_of, previous_hash, hash
    ) VALUES (
        event_id, moment, organization, number, actor, actor_session, what, target, detail,
        request, network, behalf, before, sealed
    );
    UPDATE public.audit_heads h SET sequence = number, hash = sealed WHERE h.id = chain;
    RETURN number;
END
$$
"""
REFUSE = """
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE insufficient_privilege USING MESSAGE = 'the audit log is only ever appended to';
END
$$
"""
SIGNATURE = "audit_append(uuid, uuid, uuid, uuid, text, text, jsonb, text, text, uuid)"


def upgrade() -> None:
    op.create_table(
        "audit_events",
        *_start(),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("session_id", sa.Uuid()),
        sa.Column("action", sa.String(100), nullable=False),
        sa.Column("target", sa.String(200)),
        sa.Column("detail", JSONB(), nullable=False),
        sa.Column("request_id", sa.String(64)),
        sa.Column("network", sa.String(50)),
        sa.Column("on_behalf_of", sa.Uuid()),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_events"),
    )
    op.create_index(
        "uq_audit_events_chain",
        "audit_events",
        ["organization_id", "sequence"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_index(
        "ix_audit_events_person", "audit_events", ["organization_id", "user_id", "sequence"]
    )
    op.create_index(
        "ix_audit_events_behalf",
        "audit_events",
        ["organization_id", "on_behalf_of", "sequence"],
        postgresql_where=sa.text("on_behalf_of IS NOT NULL"),
    )
    op.create_index("ix_audit_events_time", "audit_events", ["organization_id", "created_at"])
    op.create_table(
        "audit_heads",
        *_start(),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_heads"),
    )
    op.create_table(
        "audit_anchors",
        *_start(),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_anchors"),
    )
    op.create_index("ix_audit_anchors_chain", "audit_anchors", ["organization_id", "sequence"])
    _let_read()
    _let_append()
    _refuse_changes()


def _start() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("organization_id", sa.Uuid()),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
    ]


def _let_read() -> None:
    """People see the events of their organisation; app_auth also those of the platform."""
    own = "organization_id = (SELECT current_organization())"
    for table in ("audit_events", "audit_heads", "audit_anchors"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY organization ON {table} FOR SELECT TO app USING ({own})")
        op.execute(f"GRANT SELECT ON {table} TO app, app_auth")
    op.execute(
        "CREATE POLICY platform ON audit_events FOR SELECT TO app_auth"
        " USING (organization_id IS NOT DISTINCT FROM (SELECT current_organization()))"
    )
    # Heads and anchors tell nothing but how long each chain is.
    op.execute("CREATE POLICY all_chains ON audit_heads FOR SELECT TO app_auth USING (true)")
    op.execute("CREATE POLICY all_chains ON audit_anchors FOR SELECT TO app_auth USING (true)")
    op.execute("CREATE POLICY anchoring ON audit_anchors FOR INSERT TO app_auth WITH CHECK (true)")
    op.execute("GRANT INSERT ON audit_anchors TO app_auth")


def _let_append() -> None:
    """The function's owner writes, and nobody who merely inherits from it."""
    itself = "current_user = 'app_audit'"
    op.execute(
        f"CREATE POLICY append ON audit_events FOR INSERT TO app_audit WITH CHECK ({itself})"
    )
    op.execute(
        f"CREATE POLICY append ON audit_heads TO app_audit USING ({itself}) WITH CHECK ({itself})"
    )
    op.execute("GRANT INSERT ON audit_events TO app_audit")
    op.execute("GRANT SELECT, INSERT, UPDATE ON audit_heads TO app_audit")
    op.execute(APPEND)
    give_function(SIGNATURE, to="app_audit", callers="app, app_auth")


def _refuse_changes() -> None:
    """The second wall, which also holds for the owner of the tables."""
    op.execute(REFUSE)
    for table, changes in (
        ("audit_events", "UPDATE OR DELETE"),
        ("audit_anchors", "UPDATE OR DELETE"),
        ("audit_heads", "DELETE"),
    ):
        for name, when in (("changes", changes), ("truncate", "TRUNCATE")):
            op.execute(
                f"CREATE TRIGGER refuse_{name} BEFORE {when} ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
            )


def downgrade() -> None:
    op.execute(f"DROP FUNCTION {SIGNATURE}")
    for table in ("audit_anchors", "audit_heads", "audit_events"):
        op.drop_table(table)
    op.execute("DROP FUNCTION audit_refuse()")
