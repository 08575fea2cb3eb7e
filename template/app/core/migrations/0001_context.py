"""Who a transaction works for."""

from alembic import op

revision = "core_0001"
down_revision = None


def upgrade() -> None:
    for name, setting in (
        ("current_organization", "app.organization_id"),
        ("current_person", "app.user_id"),
    ):
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE"
            f" RETURN nullif(current_setting('{setting}', true), '')::uuid"
        )
    op.execute("GRANT USAGE ON SCHEMA public TO app, app_auth, app_audit")


def downgrade() -> None:
    op.execute("DROP FUNCTION current_person()")
    op.execute("DROP FUNCTION current_organization()")
