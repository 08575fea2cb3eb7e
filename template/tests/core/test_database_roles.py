"""What each account of the database may do, asked of a real server."""

import os
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import errors, sql

from app.core import database_roles, embedded


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> embedded.Urls:
    """A server apart: some of these tests give roles what they must not have."""
    folder = tmp_path_factory.mktemp("roles")
    return embedded.start(folder, environment="test", durable=False)


@pytest.fixture(scope="module")
def urls(server: embedded.Urls) -> Iterator[embedded.Urls]:
    """A database with two tenants' rows, of which `app` may see those of one."""
    name = f"roles_{os.getpid()}"
    database_roles.create_database(server.admin, name)
    made = server.of(name)
    with psycopg.connect(made.owner) as owner:
        owner.execute("CREATE TABLE notes (tenant text)")
        owner.execute("INSERT INTO notes VALUES ('ours'), ('theirs')")
        owner.execute("ALTER TABLE notes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        owner.execute("CREATE POLICY ours ON notes TO app USING (tenant = 'ours')")
        owner.execute("GRANT SELECT ON notes TO app")
        owner.execute("CREATE TABLE secrets (value text)")
        owner.execute("GRANT SELECT ON secrets TO app_auth")
    yield made
    database_roles.drop_database(server.admin, name)


@pytest.fixture
def app(urls: embedded.Urls) -> Iterator[psycopg.Connection]:
    with psycopg.connect(urls.app, autocommit=True) as connection:
        yield connection


@pytest.mark.asvs("13.2.2")
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "CREATE TEMPORARY TABLE notes (id int)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE DATABASE mine",
        "CREATE ROLE mine",
        "CREATE EXTENSION hstore",
        "ALTER TABLE notes NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY ours ON notes",
        "SET ROLE app_owner",
        "SET ROLE app_audit",
        "GRANT app_auth TO app WITH INHERIT TRUE",
        "ALTER ROLE app BYPASSRLS",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY notes TO PROGRAM 'cat'",
    ],
)
def test_the_app_may_not(app, statement):
    with pytest.raises(errors.InsufficientPrivilege):
        app.execute(statement)


def test_the_app_sees_only_the_rows_the_policy_shows(app):
    assert app.execute("SELECT tenant FROM notes").fetchall() == [("ours",)]
    app.execute("SET row_security = off")
    with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
        app.execute("SELECT tenant FROM notes")


def test_the_app_reads_secrets_only_after_becoming_app_auth(app):
    with pytest.raises(errors.InsufficientPrivilege):
        app.execute("SELECT * FROM secrets")
    app.execute("SET ROLE app_auth")
    assert app.execute("SELECT * FROM secrets").fetchall() == []
    with pytest.raises(errors.InsufficientPrivilege):
        app.execute("CREATE TABLE mine (id int)")
    app.execute("RESET ROLE")
    with pytest.raises(errors.InsufficientPrivilege):
        app.execute("SELECT * FROM secrets")


def test_a_statement_of_the_app_does_not_run_or_wait_for_ever(app):
    found = {name: app.execute(f"SHOW {name}").fetchone()[0] for name in database_roles.TIMEOUTS}
    assert "0" not in found.values()


def test_the_owner_is_held_by_forced_row_security_and_has_no_powers(urls):
    with psycopg.connect(urls.owner) as owner:
        assert owner.execute("SELECT count(*) FROM notes").fetchone() == (0,)
        powers = owner.execute(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'app%' AND "
            "(rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole OR rolreplication)"
        )
        assert powers.fetchall() == []
        logins = owner.execute("SELECT rolname FROM pg_roles WHERE rolcanlogin ORDER BY 1")
        assert {"app", "app_owner"} == {name for (name,) in logins if name.startswith("app")}


@pytest.mark.parametrize("role", ["app_auth", "app_audit"])
def test_a_migration_hands_over_a_function(urls, role):
    with psycopg.connect(urls.owner) as owner:
        owner.execute("CREATE FUNCTION given() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        # A new owner needs CREATE for this moment, and must not keep it.
        owner.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(sql.Identifier(role)))
        owner.execute(sql.SQL("ALTER FUNCTION given() OWNER TO {}").format(sql.Identifier(role)))
        owner.execute(
            sql.SQL("REVOKE CREATE ON SCHEMA public FROM {}").format(sql.Identifier(role))
        )
        found = owner.execute("SELECT proowner::regrole::text FROM pg_proc WHERE proname = 'given'")
        assert found.fetchone() == (role,)
        owner.rollback()


def test_vectors_and_trigrams_are_there(urls):
    with psycopg.connect(urls.owner) as owner:
        assert owner.execute("SELECT '[1,2]'::vector <-> '[1,3]'").fetchone() == (1.0,)
        assert owner.execute("SELECT similarity('word', 'word')").fetchone() == (1.0,)


def test_letters_of_every_language_are_letters(urls):
    with psycopg.connect(urls.app) as app:
        row = app.execute("SELECT lower('ÉTÉ Ü'), to_tsvector('simple', 'ÉTÉ')::text").fetchone()
    assert row == ("été ü", "'été':1")


def test_nobody_else_gets_in(server, urls):
    with psycopg.connect(server.admin, autocommit=True) as admin:
        admin.execute("CREATE ROLE stranger LOGIN PASSWORD 'known'")
        try:
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                psycopg.connect(urls.app, user="stranger", password="known")
        finally:
            admin.execute("DROP ROLE stranger")


def test_a_copy_of_a_database_is_as_closed_as_the_first(server, urls):
    copy = f"copy_{os.getpid()}"
    database_roles.create_database(
        server.admin, copy, template=urls.app.partition("?")[0].rpartition("/")[2]
    )
    try:
        with psycopg.connect(server.of(copy).app, autocommit=True) as app:
            assert app.execute("SELECT tenant FROM notes").fetchall() == [("ours",)]
            with pytest.raises(errors.InsufficientPrivilege):
                app.execute("CREATE TEMPORARY TABLE mine (id int)")
            row = app.execute(
                "SELECT datdba::regrole::text FROM pg_database WHERE datname = %s", [copy]
            )
            assert row.fetchone() == ("app_owner",)
            # A connection that is still open does not keep it.
            database_roles.drop_database(server.admin, copy)
    finally:
        database_roles.drop_database(server.admin, copy)


def test_repeating_it_takes_back_what_was_given_too_much(server):
    with psycopg.connect(server.admin, autocommit=True) as admin:
        admin.execute("ALTER ROLE app SUPERUSER BYPASSRLS")
        admin.execute("ALTER ROLE app_auth LOGIN")
        admin.execute("GRANT app_auth TO app WITH INHERIT TRUE")
        again(server, "app")
        row = admin.execute(
            "SELECT rolsuper, rolbypassrls, (SELECT rolcanlogin FROM pg_roles WHERE rolname = "
            "'app_auth'), pg_has_role('app', 'app_auth', 'USAGE') "
            "FROM pg_roles WHERE rolname = 'app'"
        ).fetchone()
    assert row == (False, False, False, False)


def test_several_may_do_it_at_once(server):
    names = [f"once_{os.getpid()}_{number}" for number in range(4)]
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: again(server, name), [*names, *names]))
        with psycopg.connect(server.of(names[0]).app) as app:
            assert app.execute("SELECT current_user").fetchone() == ("app",)
    finally:
        for name in names:
            database_roles.drop_database(server.admin, name)


@pytest.mark.dear
def test_an_administrator_who_is_no_superuser_can_do_it(tmp_path):
    """As on managed servers: here the roles go, and such a one makes them again."""
    server = embedded.start(tmp_path, environment="test", durable=False)
    password = secrets.token_hex(8)
    manager = f"postgresql://manager:{password}@/{server.admin.partition('@/')[2]}"
    database_roles.drop_database(server.admin, "app")
    with psycopg.connect(server.admin, autocommit=True) as admin:
        admin.execute("DROP ROLE app, app_owner, app_auth, app_audit")
        admin.execute(
            sql.SQL("CREATE ROLE manager LOGIN CREATEROLE CREATEDB PASSWORD {}").format(password)
        )
    with pytest.raises(database_roles.CannotPrepare, match="superuser run CREATE EXTENSION vector"):
        again(server, "app", admin=manager)
    for database in ("app", "template1"):
        with psycopg.connect(server.of(database).admin) as admin:
            admin.execute("CREATE EXTENSION vector")
    again(server, "app", admin=manager)
    database_roles.create_database(manager, "managed")
    with psycopg.connect(server.of("managed").owner) as owner:
        owner.execute("CREATE TABLE made (id int)")
        assert owner.execute("SELECT '[1]'::vector::text, similarity('a', 'a')").fetchone() == (
            "[1]",
            1.0,
        )
    with psycopg.connect(server.of("managed").app) as app:
        app.execute("SET ROLE app_auth")


def again(server: embedded.Urls, database: str, *, admin: str = "") -> None:
    password = {
        role: psycopg.conninfo.conninfo_to_dict(url)["password"]
        for role, url in (("app", server.app), ("owner", server.owner))
    }
    database_roles.create_roles(
        admin or server.admin,
        database=database,
        app_password=password["app"],
        owner_password=password["owner"],
    )
