"""Numbers of calls, and what a judge says of a sample of them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.core.row_security import AUTH, open_to_auth, protect

revision = "monitoring_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)
OPEN = "'nothing', 'waiting', 'decided', 'running', 'evaluating'"

# One call of a function, so that it travels with what the ledger writes.
OBSERVE = """
CREATE FUNCTION monitoring_observe(
    call_id uuid, organization uuid, of_feature text, at_provider text, of_model text,
    of_prompt text, of_version int, how text, of_guard text, has_declined boolean, sure int,
    asked int, answered int, in_language text, on_topic int, by_whom int, asked_words bytea
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO monitoring_calls (
        id, organization_id, feature, provider, model, prompt, prompt_version, outcome, guard,
        declined, confidence, question_characters, answer_characters, language, topic, asker
    ) VALUES (
        call_id, organization, of_feature, at_provider, of_model, of_prompt, of_version, how,
        of_guard, has_declined, sure, asked, answered, in_language, on_topic, by_whom
    ) ON CONFLICT DO NOTHING;
    IF asked_words IS NOT NULL THEN
        INSERT INTO monitoring_judgements (
            id, organization_id, feature, provider, model, prompt, prompt_version, state, words
        ) VALUES (
            call_id, organization, of_feature, at_provider, of_model, of_prompt, of_version,
            'waiting', asked_words
        ) ON CONFLICT DO NOTHING;
    END IF;
END
$$
"""
# A judgement does not say whose it is, its call does: words that are kept go with the person.
FORGET = """
CREATE FUNCTION monitoring_forget_words() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE monitoring_judgements SET words = NULL,
        state = CASE state WHEN 'waiting' THEN 'expired' ELSE state END
    WHERE id = old.id AND words IS NOT NULL;
    RETURN NULL;
END
$$
"""
ARGUMENTS = (
    "uuid, uuid, text, text, text, text, int, text, text, boolean, int, int, int, text, int, int,"
    " bytea"
)


def upgrade() -> None:
    _owned(
        "monitoring_calls",
        *_of_a_call(),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("guard", sa.String(60), nullable=False),
        sa.Column("declined", sa.Boolean(), nullable=False),
        sa.Column("confidence", sa.Integer()),
        sa.Column("question_characters", sa.Integer(), nullable=False),
        sa.Column("answer_characters", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("topic", sa.Integer(), nullable=False),
        sa.Column("asker", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('answered', 'refused', 'withheld', 'failed', 'left')",
            name="ck_monitoring_calls_outcome",
        ),
    )
    op.create_index(
        "ix_monitoring_calls_time", "monitoring_calls", ["organization_id", "created_at"]
    )
    _owned(
        "monitoring_judgements",
        *_of_a_call(),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("correct", sa.Boolean()),
        sa.Column("relevant", sa.Boolean()),
        sa.Column("safe", sa.Boolean()),
        sa.Column("form", sa.Boolean()),
        sa.Column("calibration_id", sa.Uuid()),
        sa.Column("judged_at", MOMENT),
        sa.Column("words", sa.LargeBinary()),
        sa.CheckConstraint(
            "state IN ('waiting', 'judged', 'failed', 'expired')",
            name="ck_monitoring_judgements_state",
        ),
    )
    op.create_index(
        "ix_monitoring_judgements_time", "monitoring_judgements", ["organization_id", "created_at"]
    )
    op.create_index("ix_monitoring_judgements_judged_at", "monitoring_judgements", ["judged_at"])
    op.create_index(
        "ix_monitoring_judgements_waiting",
        "monitoring_judgements",
        ["created_at"],
        postgresql_where="state = 'waiting'",
    )
    op.create_table(
        "monitoring_calibrations",
        *_start(),
        sa.Column("provider", sa.String(40), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("prompt_version", sa.Integer(), nullable=False),
        sa.Column("examples", sa.Integer(), nullable=False),
        sa.Column("kappas", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_monitoring_calibrations"),
    )
    _drift()
    op.execute(OBSERVE)
    op.execute(f"REVOKE ALL ON FUNCTION monitoring_observe({ARGUMENTS}) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION monitoring_observe({ARGUMENTS}) TO app")
    protect("monitoring_calls", grant_to_app="SELECT, INSERT")
    open_to_auth("monitoring_calls", "SELECT, DELETE")
    # The app writes the words and never reads them.
    shown = (
        "id, created_at, organization_id, feature, provider, model, prompt, prompt_version, state,"
        " correct, relevant, safe, form, calibration_id, judged_at"
    )
    protect("monitoring_judgements", grant_to_app=f"SELECT ({shown}), INSERT")
    open_to_auth("monitoring_judgements", "SELECT, UPDATE, DELETE")
    op.execute(FORGET)
    op.execute(f"GRANT CREATE ON SCHEMA public TO {AUTH}")
    op.execute(f"ALTER FUNCTION monitoring_forget_words() OWNER TO {AUTH}")
    op.execute(f"REVOKE CREATE ON SCHEMA public FROM {AUTH}")
    op.execute("REVOKE ALL ON FUNCTION monitoring_forget_words() FROM PUBLIC")
    op.execute(
        "CREATE TRIGGER monitoring_forget_words AFTER UPDATE OF user_id ON usage_records"
        " FOR EACH ROW WHEN (old.user_id IS NOT NULL AND new.user_id IS NULL)"
        " EXECUTE FUNCTION monitoring_forget_words()"
    )
    op.execute("GRANT SELECT ON monitoring_calibrations TO app")
    op.execute("GRANT SELECT, INSERT, DELETE ON monitoring_calibrations TO app_auth")


def _drift() -> None:
    _owned(
        "monitoring_readings",
        sa.Column("day", MOMENT, nullable=False),
        sa.Column("feature", sa.String(60), nullable=False),
        sa.Column("measure", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(7), nullable=False),
        sa.Column("reference", sa.BigInteger(), nullable=False),
        sa.Column("current", sa.BigInteger(), nullable=False),
        sa.Column("effect", sa.Float(), nullable=False),
        sa.Column("p_value", sa.Float(), nullable=False),
        sa.Column("adjusted", sa.Float(), nullable=False),
        sa.Column("drifted", sa.Boolean(), nullable=False),
        sa.Column("before", sa.String(80), nullable=False),
        sa.Column("after", sa.String(80), nullable=False),
        sa.UniqueConstraint(
            "organization_id",
            "feature",
            "measure",
            "day",
            name="uq_monitoring_readings_organization_id_feature_measure_day",
        ),
        sa.CheckConstraint(
            "kind IN ('ordered', 'named', 'share')", name="ck_monitoring_readings_kind"
        ),
    )
    op.create_index("ix_monitoring_readings_day", "monitoring_readings", ["organization_id", "day"])
    _owned(
        "monitoring_alerts",
        sa.Column("feature", sa.String(60), nullable=False),
        sa.Column("measure", sa.String(20), nullable=False),
        sa.Column("effect", sa.Float(), nullable=False),
        sa.Column("adjusted", sa.Float(), nullable=False),
        sa.Column("before", sa.String(80), nullable=False),
        sa.Column("after", sa.String(80), nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
    )
    op.create_index(
        "uq_monitoring_alerts_open",
        "monitoring_alerts",
        ["organization_id", "feature", "measure"],
        unique=True,
        postgresql_where="ended_at IS NULL",
    )
    _decisions()
    for table in ("monitoring_readings", "monitoring_alerts", "monitoring_decisions"):
        protect(table, grant_to_app="SELECT")
        open_to_auth(table)


def _decisions() -> None:
    _owned(
        "monitoring_decisions",
        sa.Column("rule", sa.String(60), nullable=False),
        sa.Column("feature", sa.String(60), nullable=False),
        sa.Column("prompt", sa.String(80), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reasons", postgresql.JSONB(), nullable=False),
        sa.Column("numbers", postgresql.JSONB(), nullable=False),
        sa.Column("looked_at", MOMENT, nullable=False),
        sa.Column("started_by", sa.Uuid()),
        sa.Column("training_file", sa.String(200), nullable=False),
        sa.Column("validation_file", sa.String(200), nullable=False),
        sa.Column("job", sa.String(200), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("trained_tokens", sa.BigInteger(), nullable=False),
        sa.Column("read_at", MOMENT),
        sa.Column("asked_at", MOMENT),
        sa.Column("run_id", sa.Uuid()),
        sa.Column("why", sa.String(500), nullable=False),
        sa.ForeignKeyConstraint(
            ["started_by"],
            ["users.id"],
            name="fk_monitoring_decisions_started_by",
            ondelete="SET NULL",
        ),
        sa.CheckConstraint(
            f"state IN ({OPEN}, 'proposed', 'done', 'failed', 'dropped')",
            name="ck_monitoring_decisions_state",
        ),
    )
    op.create_index(
        "uq_monitoring_decisions_open",
        "monitoring_decisions",
        ["organization_id", "rule"],
        unique=True,
        postgresql_where=f"state IN ({OPEN})",
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER IF EXISTS monitoring_forget_words ON usage_records")
    op.execute("DROP FUNCTION monitoring_forget_words()")
    op.execute(f"DROP FUNCTION monitoring_observe({ARGUMENTS})")
    op.drop_table("monitoring_decisions")
    op.drop_table("monitoring_alerts")
    op.drop_table("monitoring_readings")
    for table in ("monitoring_calibrations", "monitoring_judgements", "monitoring_calls"):
        op.drop_table(table)


def _start() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
    ]


def _of_a_call() -> list[sa.Column[object]]:
    return [
        sa.Column("feature", sa.String(60), nullable=False),
        sa.Column("provider", sa.String(40), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("prompt", sa.String(80), nullable=False),
        sa.Column("prompt_version", sa.Integer()),
    ]


def _owned(table: str, *columns: sa.schema.SchemaItem) -> None:
    op.create_table(
        table,
        *_start(),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=f"fk_{table}_organization_id",
            ondelete="CASCADE",
        ),
    )
