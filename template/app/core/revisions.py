"""How far the tables are, and how far the code expects them: asked by every look at readiness.

The files of migrations are read and not run, and Alembic stays out: to import all of that takes a
second, in which a process that has just begun would answer nobody.
"""

import re
from ast import literal_eval
from functools import cache
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, text

import app
from app.modules import MODULES

APP = Path(app.__file__).parent
NAMED = re.compile(r"^(revision|down_revision)(?:\s*:[^=\n]+)?\s*=\s*(.+?)\s*$", re.MULTILINE)
TABLE = "alembic_version_"
TABLES = text(
    "SELECT relname FROM pg_class WHERE relkind = 'r'"
    " AND relnamespace = 'public'::regnamespace AND starts_with(relname, :table)"
)


class History(NamedTuple):
    """Of one module's tables."""

    known: frozenset[str]
    heads: frozenset[str]


@cache
def histories() -> dict[str, History]:
    """As the files have them, by module."""
    folders = {name: APP / name / "migrations" for name in ("core", *MODULES)}
    return {name: history(folder) for name, folder in folders.items() if folder.is_dir()}


def history(folder: Path) -> History:
    known, followed = set(), set()
    for path in folder.glob("*.py"):
        said = {name: literal_eval(told) for name, told in NAMED.findall(path.read_text("utf-8"))}
        if "revision" in said:
            known.add(said["revision"])
            before = said.get("down_revision") or ()
            followed |= {before} if isinstance(before, str) else {*before}
    return History(frozenset(known), frozenset(known - followed))


def behind(connection: Connection) -> list[str]:
    """Modules whose tables are older than their code. Newer is fine: a release under way."""
    at = _applied(connection)
    return [
        name
        for name, (known, heads) in histories().items()
        if heads and not at.get(name, set()) & heads and at.get(name, set()) <= known
    ]


def _applied(connection: Connection) -> dict[str, set[str]]:
    """What the database has of each module; nothing where it has none."""
    there = {*connection.scalars(TABLES, {"table": TABLE})}
    found: dict[str, set[str]] = {}
    asked = [
        f"SELECT '{name}' AS module, version_num FROM {TABLE}{name}"  # noqa: S608 names of folders
        for name in histories()
        if TABLE + name in there
    ]
    for name, revision in connection.execute(text(" UNION ALL ".join(asked))) if asked else ():
        found.setdefault(name, set()).add(revision)
    return found
