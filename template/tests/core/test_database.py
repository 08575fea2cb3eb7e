import pytest
from sqlalchemy import text

from app.core import db, migrate
from app.limits import connections
from tests.factories import make_organization, make_user, sign_in


@pytest.mark.asvs("13.2.2")
async def test_the_app_logs_in_as_a_role_that_owns_nothing():
    async with db.transaction() as session:
        row = (
            await session.execute(
                text(
                    "SELECT rolsuper, rolbypassrls, (SELECT count(*) FROM pg_class"
                    " WHERE relowner = r.oid) AS owned FROM pg_roles r WHERE rolname = current_user"
                )
            )
        ).one()
    assert (row.rolsuper, row.rolbypassrls, row.owned) == (False, False, 0)


async def test_without_an_organisation_there_are_no_rows():
    async with db.transaction() as session:
        for table in ("organizations", "users", "memberships", "invitations"):
            assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == 0


async def test_what_a_transaction_was_told_is_gone_at_its_end():
    async with db.transaction(elevated=True) as session:
        assert await session.scalar(text("SELECT current_user")) == "app_auth"
    async with db.transaction() as session:
        assert await session.scalar(text("SELECT current_user")) == "app"
        assert await session.scalar(text("SELECT current_organization()")) is None


def test_models_and_tables_agree_and_row_security_is_on():
    with migrate.connected() as connection:
        assert migrate.problems(connection) == []

        connection.execute(text("ALTER TABLE organizations ADD COLUMN motto text"))
        connection.execute(text("ALTER TABLE audit_events NO FORCE ROW LEVEL SECURITY"))
        found = migrate.problems(connection)
        connection.rollback()
    assert len(found) == 2, found
    assert found[0].startswith("users: remove_column organizations")
    assert found[1] == "audit_events: no forced row-level security"


async def test_requests_go_on_after_the_database_closed_every_connection(client, database):
    """Those whose connection is gone are told to try again; each finds that out once."""
    someone = await make_user(await make_organization(), role="admin", password=False)
    await sign_in(client, someone)
    for path in ("/api/organization", "/api/me"):
        before = [(await client.get(path)).status_code for _ in range(30)]
        assert before[-1] == 200
        with migrate.connected(database.admin) as connection:
            close = (
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE usename = 'app' AND datname = current_database()"
                " AND application_name IN ('', 'limits')"
            )
            assert connection.scalar(text(close))
        answers = [(await client.get(path)).status_code for _ in range(30)]
        assert set(answers) <= {200, 503}
        assert answers[-1] == 200
    # No test after this one shall find a connection that is gone.
    await db.close()
    await connections.close()
