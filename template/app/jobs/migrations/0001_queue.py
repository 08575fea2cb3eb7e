"""The queue library's tables, for the app and for elevated transactions of it."""

from alembic import op

from app.jobs import library_schema

revision = "jobs_0001"
down_revision = None

TABLES = "procrastinate_jobs, procrastinate_events, procrastinate_periodic_defers"


def upgrade() -> None:
    library_schema.apply(
        op.get_bind(),
        until="03.04.00_50_post_add_retry_failed_job_procedure",
        expect="aa547ddb30de271d8b64f5b0063e38a265ab0f2c610d8837eedb8cd4c5095342",
    )
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLES}, procrastinate_workers TO app")
    op.execute(f"GRANT USAGE ON SEQUENCE {_sequences()} TO app")
    # A job may be written inside `elevated(db)`; app_auth needs no more than that. Without seeing
    # the lock it would not be told which one a waiting job holds, and the library relies on that.
    op.execute("GRANT SELECT (id, queueing_lock), INSERT ON procrastinate_jobs TO app_auth")
    op.execute("GRANT INSERT ON procrastinate_events TO app_auth")
    op.execute(
        "GRANT USAGE ON SEQUENCE procrastinate_jobs_id_seq, procrastinate_events_id_seq TO app_auth"
    )


def _sequences() -> str:
    return ", ".join(f"{table}_id_seq" for table in TABLES.split(", "))


def downgrade() -> None:
    op.execute(f"DROP TABLE {TABLES}, procrastinate_workers CASCADE")
    op.execute(
        "DO $$ DECLARE name regprocedure; BEGIN FOR name IN SELECT oid FROM pg_proc"
        " WHERE proname LIKE 'procrastinate\\_%' AND pronamespace = 'public'::regnamespace"
        " LOOP EXECUTE format('DROP FUNCTION %s', name); END LOOP; END $$"
    )
    op.execute(
        "DROP TYPE procrastinate_job_to_defer_v1, procrastinate_job_event_type,"
        " procrastinate_job_status"
    )
