"""The accounts of the database, and what each may do: see `ROLES`.

Made by the server's administrator, once per server; every database in it shares them. Safe to
repeat. The administrator may be a superuser or, as on managed servers, only CREATEROLE CREATEDB.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from app.core.errors import CannotStart

if TYPE_CHECKING:
    import psycopg
    from psycopg.abc import QueryNoTemplate

ROLES = {
    "app_owner": "owns every table; migrations log in as it",
    "app": "the application; owns nothing and is held by row security",
    "app_auth": "reads password hashes; `app` becomes it on purpose, never by inheritance",
    "app_audit": "appends to the audit log by a function it owns; nobody logs in as it",
}
LOGINS = {"app_owner", "app"}
# Receives every change for the backup and asks no database anything. Only on a server of ours:
# managed ones go back to a moment by themselves.
STREAMS = "app_backup"
EXTENSIONS = ("vector", "pg_trgm")
TIMEOUTS = {
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "60s",
}
# Any number, as long as nobody else takes it; locks are per database, so take it in the same one.
LOCK = 0x617070


class CannotPrepare(CannotStart):
    """The server is too old or the administrator too weak; the message says what to do."""


def in_database(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(database, safe='')}"))


def create_roles(
    admin_url: str,
    *,
    database: str,
    app_password: str,
    owner_password: str,
    backup_password: str = "",
) -> None:
    with _connect(admin_url) as admin:
        if admin.info.server_version < 160000:
            raise CannotPrepare("PostgreSQL 16 or newer is needed: upgrade the server.")
        admin.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        _make_roles(admin, {"app": app_password, "app_owner": owner_password})
        if backup_password:
            _make_streaming_role(admin, backup_password)
        found = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
        if found.fetchone() is None:
            _run(admin, "CREATE DATABASE {} OWNER app_owner", database)
        _close_to_others(admin, database)
    _open_to_roles(admin_url, database)


def create_database(admin_url: str, name: str, template: str | None = None) -> None:
    """Needs `create_roles` to have run on the server; `template` must have no connections."""
    with _connect(admin_url) as admin:
        if template is None:
            _run(admin, "CREATE DATABASE {} OWNER app_owner", name)
        else:
            _copy_database(admin, name, template)
        _close_to_others(admin, name)
    if template is None:
        _open_to_roles(admin_url, name)


def drop_database(admin_url: str, name: str) -> None:
    with _connect(admin_url) as admin:
        _run(admin, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def _copy_database(admin: psycopg.Connection, name: str, template: str) -> None:
    from psycopg.errors import ObjectInUse

    # A connection that was just closed counts until its backend is gone.
    deadline = time.monotonic() + 5
    while True:
        try:
            return _run(admin, "CREATE DATABASE {} OWNER app_owner TEMPLATE {}", name, template)
        except ObjectInUse:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _make_roles(admin: psycopg.Connection, passwords: dict[str, str]) -> None:
    from psycopg import sql

    found = {
        name: powers
        for name, *powers in admin.execute(
            "SELECT rolname, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication "
            "FROM pg_roles WHERE rolname = ANY(%s)",
            [list(ROLES)],
        )
    }
    for name in ROLES:
        if name not in found:
            _run(admin, "CREATE ROLE {}", name)
        elif any(found[name]):
            # Only when needed: an administrator without these powers may not even name them.
            _run(
                admin,
                "ALTER ROLE {} NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION",
                name,
            )
        _run(admin, "ALTER ROLE {} LOGIN" if name in LOGINS else "ALTER ROLE {} NOLOGIN", name)
    for name, password in passwords.items():
        _set_password(admin, name, password)
    for setting, value in TIMEOUTS.items():
        admin.execute(
            sql.SQL("ALTER ROLE app SET {} = {}").format(
                sql.Identifier(setting), sql.Literal(value)
            )
        )
    admin.execute("GRANT app_auth TO app WITH INHERIT FALSE, SET TRUE")
    admin.execute("GRANT app_auth, app_audit TO app_owner WITH INHERIT TRUE, SET TRUE")
    if not _is_superuser(admin):
        # Who is no superuser acts for the owner as its member.
        admin.execute("GRANT app_owner TO CURRENT_USER WITH INHERIT TRUE, SET TRUE")


def _make_streaming_role(admin: psycopg.Connection, password: str) -> None:
    found = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [STREAMS])
    if found.fetchone() is None:
        _run(admin, "CREATE ROLE {}", STREAMS)
    _run(
        admin,
        "ALTER ROLE {} LOGIN REPLICATION NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE",
        STREAMS,
    )
    _set_password(admin, STREAMS, password)


def _set_password(admin: psycopg.Connection, name: str, password: str) -> None:
    from psycopg import sql

    # Hashed here: a statement may end up in the server's log.
    verifier = admin.pgconn.encrypt_password(
        password.encode(), name.encode(), b"scram-sha-256"
    ).decode()
    admin.execute(
        sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(verifier))
    )


def _close_to_others(admin: psycopg.Connection, database: str) -> None:
    """What belongs to the database itself; a copy does not take it along."""
    owned = admin.execute(
        "SELECT pg_get_userbyid(datdba) = 'app_owner' FROM pg_database WHERE datname = %s",
        [database],
    ).fetchone()
    if owned != (True,):
        _run(admin, "ALTER DATABASE {} OWNER TO app_owner", database)
    # TEMPORARY goes with it: a temporary table may shadow the real one in a function.
    _run(admin, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)
    _run(admin, "GRANT CONNECT ON DATABASE {} TO app, app_owner", database)


def _open_to_roles(admin_url: str, database: str) -> None:
    from psycopg.errors import InsufficientPrivilege

    with _connect(in_database(admin_url, database)) as admin:
        admin.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        admin.execute("ALTER SCHEMA public OWNER TO app_owner")
        admin.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        admin.execute("GRANT USAGE ON SCHEMA public TO app, app_auth, app_audit")
        available = admin.execute(
            "SELECT name FROM pg_available_extensions "
            "WHERE name = ANY(%s) AND installed_version IS NULL",
            [list(EXTENSIONS)],
        )
        for (extension,) in available.fetchall():
            try:
                _run(admin, "CREATE EXTENSION IF NOT EXISTS {} SCHEMA public", extension)
            except InsufficientPrivilege as error:
                raise CannotPrepare(
                    f"{admin.info.user} may not install {extension}: have a superuser run "
                    f"CREATE EXTENSION {extension} in the database {database}, and repeat this."
                ) from error


def _is_superuser(admin: psycopg.Connection) -> bool:
    row = admin.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    return row == (True,)


def _connect(url: str) -> psycopg.Connection[Any]:
    import psycopg

    return psycopg.connect(url, autocommit=True)


def _run(admin: psycopg.Connection, statement: QueryNoTemplate, *names: str) -> None:
    from psycopg import sql

    assert isinstance(statement, str)
    admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
