"""Row-level security, as migrations write it.

    def upgrade() -> None:
        op.create_table("notes", ...)
        protect("notes")

`app db check` fails for a table with an organization_id that no `protect` call covers.
"""

from alembic import op

APP, AUTH = "app", "app_auth"
ALL = "SELECT, INSERT, UPDATE, DELETE"


def protect(table: str, *, owner_column: str | None = None, grant_to_app: str = ALL) -> None:
    """Show the rows of the current organisation only; with `owner_column`, of one person in it.

    With no organisation set there are no rows. The role `app` gets the rights in `grant_to_app`.
    """
    rule = "organization_id = (SELECT current_organization())"
    if owner_column:
        rule += f" AND {owner_column} = (SELECT current_person())"
    _force(table)
    op.execute(f"CREATE POLICY organization ON {table} USING ({rule}) WITH CHECK ({rule})")
    if grant_to_app:
        op.execute(f"GRANT {grant_to_app} ON {table} TO {APP}")


def open_to_auth(table: str, rights: str = ALL) -> None:
    """Let the role app_auth see all rows: for what must be found before anyone is signed in."""
    op.execute(f"CREATE POLICY auth ON {table} TO {AUTH} USING (true) WITH CHECK (true)")
    op.execute(f"GRANT {rights} ON {table} TO {AUTH}")


def protect_auth(table: str, rights: str = ALL) -> None:
    """Only the role app_auth touches this table: credentials and what leads to them."""
    _force(table)
    open_to_auth(table, rights)


def give_function(signature: str, *, to: str, callers: str) -> None:
    """Let a SECURITY DEFINER function work as the role `to`, and only `callers` call it."""
    # A function's owner must be able to create in its schema, for the moment of the change.
    op.execute(f"GRANT CREATE ON SCHEMA public TO {to}")
    op.execute(f"ALTER FUNCTION {signature} OWNER TO {to}")
    op.execute(f"REVOKE CREATE ON SCHEMA public FROM {to}")
    op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO {callers}")


def _force(table: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
