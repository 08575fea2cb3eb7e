"""The queue library's tables: what our migrations made is what the installed library expects."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, text

import app.jobs
from app.core import migrate
from app.jobs import library_schema

MIGRATIONS = Path(app.jobs.__file__).parent / "migrations"

WHAT_A_SCHEMA_HOLDS = {
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
               a.attidentity, pg_get_expr(d.adbin, d.adrelid)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = CAST(:schema AS regnamespace) AND c.relkind = 'r'
          AND a.attnum > 0 AND NOT a.attisdropped AND c.relname LIKE 'procrastinate%'""",
    "constraints": """
        SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = CAST(:schema AS regnamespace)
          AND conrelid::regclass::text LIKE '%procrastinate%'""",
    "indexes": """
        SELECT indexname, indexdef FROM pg_indexes
        WHERE schemaname = :schema AND tablename LIKE 'procrastinate%'""",
    "functions": """
        SELECT proname, pg_get_function_identity_arguments(oid), pg_get_function_result(oid),
               prosrc, provolatile, prosecdef
        FROM pg_proc WHERE pronamespace = CAST(:schema AS regnamespace)
          AND proname LIKE 'procrastinate%'""",
    "triggers": """
        SELECT t.tgname, pg_get_triggerdef(t.oid, true) FROM pg_trigger t
        JOIN pg_class c ON c.oid = t.tgrelid
        WHERE NOT t.tgisinternal AND c.relnamespace = CAST(:schema AS regnamespace)
          AND c.relname LIKE 'procrastinate%'""",
    "types": """
        SELECT t.typname, e.enumlabel, a.attname, format_type(a.atttypid, a.atttypmod)
        FROM pg_type t LEFT JOIN pg_enum e ON e.enumtypid = t.oid
        LEFT JOIN pg_attribute a ON a.attrelid = t.typrelid AND t.typtype = 'c'
        WHERE t.typnamespace = CAST(:schema AS regnamespace) AND t.typname LIKE 'procrastinate%'
          AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c')""",
}


def content(connection: Connection, schema: str) -> dict[str, set[str]]:
    connection.execute(text(f"SET LOCAL search_path = {schema}"))
    return {
        what: {
            str(tuple(row)).replace(f"{schema}.", "")
            for row in connection.execute(text(query), {"schema": schema})
        }
        for what, query in WHAT_A_SCHEMA_HOLDS.items()
    }


def migrations() -> list[ModuleType]:
    found = []
    for path in sorted(MIGRATIONS.glob("[0-9]*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found.append(module)
    return found


def test_every_sql_file_of_the_library_is_applied_by_a_migration_of_ours():
    texts = [path.read_text(encoding="utf-8") for path in sorted(MIGRATIONS.glob("[0-9]*.py"))]
    last = re.findall(r'until="([\w.]+)"', "".join(texts))[-1]
    new = library_schema.files(after=last)
    wanted = new and (
        f"Write a migration: library_schema.apply(op.get_bind(), after={last!r}, "
        f"until={new[-1].stem!r}, expect={library_schema.digest(new)!r})"
    )
    assert not new, wanted


@pytest.mark.parametrize("what", WHAT_A_SCHEMA_HOLDS)
def test_migrated_tables_are_those_the_installed_library_expects(database, what):
    with migrate.connected() as connection, connection.begin() as transaction:
        ours = content(connection, "public")[what]
        connection.execute(text("CREATE SCHEMA expected"))
        connection.execute(text("SET LOCAL search_path = expected"))
        connection.connection.driver_connection.execute(SchemaManager.get_schema())
        expected = content(connection, "expected")[what]
        transaction.rollback()

    assert expected
    assert ours == expected


def test_the_migration_goes_back_and_forth(database):
    with migrate.connected() as connection, connection.begin() as transaction:
        before = content(connection, "public")
        with Operations.context(MigrationContext.configure(connection)):
            for module in reversed(migrations()):
                module.downgrade()
            assert not any(content(connection, "public").values())
            for module in migrations():
                module.upgrade()
        after = content(connection, "public")
        transaction.rollback()

    assert after == before


def test_other_sql_files_than_those_expected_are_refused(database):
    last = library_schema.files()[-1].stem
    with migrate.connected() as connection:
        for until, expect in ((last, "0" * 64), ("99.99.99_01_later", "0" * 64)):
            with pytest.raises(library_schema.UnexpectedSchema):
                library_schema.apply(connection, until=until, expect=expect)
