"""Migrations belong to modules: each has one linear history and a version table of its own.

So a project's migrations and the template's never collide, and a module that is switched on later
brings its tables. Modules run in the order in which their tables refer to each other.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from graphlib import TopologicalSorter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations.ops import CreateTableOp
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Table, create_engine, text
from sqlalchemy.pool import NullPool

import app
from app.core import vectors as vectors  # it names a type of columns to who reads the tables
from app.core.db import Base, owner_url, sqlalchemy_url
from app.core.logging import log
from app.modules import MODULES, parts

APP = Path(app.__file__).parent
LOCK = 0x8080


@cache
def tables() -> dict[str, str]:
    """The module of every mapped table."""
    parts("models")
    return {
        str(mapper.local_table.name): mapper.class_.__module__.split(".")[1]
        for mapper in Base.registry.mappers
        if isinstance(mapper.local_table, Table)
    }


def in_order() -> list[str]:
    """Modules with a migrations folder, those first that others refer to."""
    owner = tables()
    present = {name for name in MODULES if (APP / name / "migrations").is_dir()}
    order: TopologicalSorter[str] = TopologicalSorter({"core": set()})
    for module in sorted(present):
        order.add(module, "core", *(set(_after(module)) & present))
    for table, module in owner.items():
        for key in Base.metadata.tables[table].foreign_keys:
            other = owner.get(key.target_fullname.split(".")[0])
            if other and other != module:
                order.add(module, other)
    return [name for name in order.static_order() if name == "core" or name in present]


def _after(module: str) -> list[str]:
    """Further modules whose tables a history needs, named in its file AFTER."""
    marker = APP / module / "migrations" / "AFTER"
    return marker.read_text(encoding="utf-8").split() if marker.exists() else []


def scripts(module: str) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", (APP / "core" / "migrations").as_posix())
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", (APP / module / "migrations").as_posix())
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return ScriptDirectory.from_config(config)


@contextmanager
def connected(url: str | None = None) -> Iterator[Connection]:
    """A connection as the owner, and only one at a time in the whole database."""
    engine: Engine = create_engine(sqlalchemy_url(url or owner_url()), poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
        connection.commit()
        yield connection


def _options(module: str) -> dict[str, Any]:
    owner = tables()

    def mine(thing: Any, name: str | None, kind: str, *_: object) -> bool:
        return kind != "table" or owner.get(str(name)) == module

    # Before anything of a table is read: to read all of them for each module takes seconds.
    def read(name: str | None, kind: str, _: object) -> bool:
        return mine(None, name, kind)

    return {
        "target_metadata": Base.metadata,
        "version_table": f"alembic_version_{module}",
        "include_name": read,
        "include_object": mine,
        "compare_type": True,
    }


def upgrade(
    url: str | None = None, *, told: Callable[[str, str], None] = lambda module, revision: None
) -> None:
    """Bring every module's tables to their newest revision; all of it or nothing.

    Newer ones stay as they are: the version before comes back and reads them.
    """
    with connected(url) as connection, connection.begin():
        for module in in_order():
            script = scripts(module)

            def steps(at: Any, _: Any, script: ScriptDirectory = script, name: str = module) -> Any:
                if not {*at} <= {step.revision for step in script.walk_revisions()}:
                    log.warning("migrations.newer", module=name, revision=", ".join(at))
                    return []
                for step in (found := script._upgrade_revs("head", at)):
                    told(name, str(step.revision.revision))
                return found

            _run(connection, module, script, steps)
            connection.execute(text(f"GRANT SELECT ON alembic_version_{module} TO app"))


def downgrade(module: str, revision: str, url: str | None = None) -> list[str]:
    """Take one module's tables back; the revisions that went. All of it or nothing."""
    if module not in in_order():
        raise ValueError(f"app/{module} has no migrations.")
    script = scripts(module)
    if revision != "base" and revision not in {
        str(one.revision) for one in script.walk_revisions()
    }:
        raise ValueError(f"{revision} is no revision of {module}.")
    gone: list[str] = []

    def steps(at: Any, _: Any) -> Any:
        found = script._downgrade_revs(revision, at)
        gone.extend(str(step.revision.revision) for step in found)
        return found

    with connected(url) as connection, connection.begin():
        _run(connection, module, script, steps)
    return gone


def _run(connection: Connection, module: str, script: ScriptDirectory, steps: Any) -> None:
    with EnvironmentContext(Config(), script, fn=steps) as environment:
        environment.configure(connection=connection, transactional_ddl=True, **_options(module))
        environment.run_migrations()


@cache
def heads() -> dict[str, str | None]:
    """The newest revision of each module's history, as the files have it."""
    return {module: scripts(module).get_current_head() for module in in_order()}


def applied(connection: Connection) -> dict[str, str | None]:
    """The revision that the database has of each module."""
    return {
        module: MigrationContext.configure(connection, opts=_options(module)).get_current_revision()
        for module in in_order()
    }


def new_revision(module: str, message: str) -> Path:
    """Write the migration that brings a module's tables to what its models say."""
    if module not in MODULES:
        raise ValueError(f"app/{module} is not a module.")
    folder = APP / module / "migrations"
    folder.mkdir(exist_ok=True)
    script = scripts(module)
    number = len(list(script.walk_revisions())) + 1
    with connected() as connection:
        context = MigrationContext.configure(connection, opts=_options(module))
        if context.get_current_revision() != script.get_current_head():
            raise ValueError("The database is behind: run `app db upgrade` first.")
        found = produce_migrations(context, Base.metadata)
    ups, downs = found.upgrade_ops, found.downgrade_ops
    new = [op.table_name for op in ups.ops if isinstance(op, CreateTableOp)] if ups else []
    lines = [f'protect("{name}")' for name in new if _owned(name)]
    path = folder / f"{number:04d}_{'_'.join(message.lower().split())}.py"
    body = render_python_code(ups, migration_context=context) if ups else "pass"
    back = render_python_code(downs, migration_context=context) if downs else "pass"
    path.write_text(
        f'"""{message[:1].upper()}{message[1:]}."""\n\n'
        "import sqlalchemy as sa\nfrom alembic import op\n\n"
        + ("from app.core.row_security import protect\n\n" if lines else "")
        + f'revision = "{module}_{number:04d}"\n'
        f"down_revision = {script.get_current_head()!r}\n\n\n"
        f"def upgrade() -> None:\n{_indent(body)}"
        + "".join(f"    {line}\n" for line in lines)
        + f"\n\ndef downgrade() -> None:\n{_indent(back)}",
        encoding="utf-8",
        newline="\n",
    )
    _format(path)
    return path


def _format(path: Path) -> None:
    """As `make lint` wants it; where the formatter is not installed it stays as it is."""
    if find_spec("ruff"):
        command = [sys.executable, "-m", "ruff", "format", "--quiet", str(path)]
        subprocess.run(command, check=False)  # noqa: S603 no words of others


def _owned(table: str) -> bool:
    return "organization_id" in Base.metadata.tables[table].columns


def _indent(code: str) -> str:
    lines = [line for line in code.splitlines() if not line.strip().startswith("#")]
    return "".join(f"    {line.removeprefix('    ')}\n" if line.strip() else "\n" for line in lines)


def problems(connection: Connection) -> list[str]:
    """What `app db check` finds: drift between models and tables, tables without row security."""
    found = [
        f"{module}: has tables and no migrations; run `app db revision {module} -m first`"
        for module in sorted(set(tables().values()) - set(in_order()))
    ]
    at, wanted = applied(connection), heads()
    for module in in_order():
        if at[module] != wanted[module]:
            found.append(
                f"{module}: the database is at {at[module]}, the files at {wanted[module]}"
            )
            continue
        context = MigrationContext.configure(connection, opts=_options(module))
        found += [
            f"{module}: {_say(change)}" for change in compare_metadata(context, Base.metadata)
        ]
    unprotected = connection.execute(
        text(
            "SELECT DISTINCT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace"
            " AND a.attname IN ('organization_id', 'user_id') AND NOT a.attisdropped"
            " AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"
        )
    )
    return found + [f"{name}: no forced row-level security" for name in unprotected.scalars()]


def _say(change: Any) -> str:
    if isinstance(change, list):
        return "; ".join(_say(one) for one in change)
    return " ".join(str(part) for part in change if part is not None)
