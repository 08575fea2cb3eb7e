"""While a release goes on, the version before works on the tables of the next: migrations only add.

What takes away, renames or narrows waits for a release of its own, when nothing that runs needs it;
its file then says so in a line `CONTRACT = "why"`. What locks a table that people use for long says
in `LOCKS = "why"` that the table is small. A module's first migration makes its tables and is free.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from app.core.migrate import APP, in_order, scripts

TAKES_AWAY = {
    "drop_table": "drops a table",
    "drop_column": "drops a column",
    "rename_table": "renames a table",
}
IN_SQL = {
    r"\bDROP\s+TABLE\b": "drops a table",
    r"\bDROP\s+COLUMN\b": "drops a column",
    r"\bRENAME\s+(TO|COLUMN)\b": "renames",
    r"\bSET\s+NOT\s+NULL\b": "forbids NULL in a column",
    r"\bALTER\s+(COLUMN\s+)?\w+\s+(SET\s+DATA\s+)?TYPE\b": "changes a column's type",
}
INDEX_IN_SQL = re.compile(r"\bCREATE\s+(UNIQUE\s+)?INDEX\b.*?\bON\s+(ONLY\s+)?(\w+)", re.I | re.S)


def problems() -> list[str]:
    """Every later migration that the version before could not live with."""
    found = []
    for module in in_order():
        for step in scripts(module).walk_revisions():
            if step.down_revision is not None:
                path = Path(step.path)
                found += [
                    f"{path.relative_to(APP.parent)}:{line}: {what}"
                    for line, what in broken(path.read_text(encoding="utf-8"))
                ]
    return sorted(found)


def broken(source: str) -> list[tuple[int, str]]:
    """What one file does that must wait or say why: the line, and what it is."""
    tree = ast.parse(source)
    said = {
        node.targets[0].id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if isinstance(node.value, ast.Constant) and node.value.value
    }
    upgrade = next(
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    )
    calls = [node for node in ast.walk(upgrade) if isinstance(node, ast.Call)]
    new = {_text(call, 0) for call in calls if _name(call) == "create_table"}
    found = []
    for call in calls:
        if "CONTRACT" not in said:
            found += [
                (call.lineno, f"{what}; wait, or say CONTRACT") for what in _narrows(call, new)
            ]
        if "LOCKS" not in said:
            found += [(call.lineno, f"{what}; say LOCKS") for what in _locks(call, new)]
    return found


def _narrows(call: ast.Call, new: set[str]) -> Iterator[str]:
    name = _name(call)
    if what := TAKES_AWAY.get(name):
        yield what
    if name == "alter_column" and _text(call, 0) not in new:
        given = {word.arg: word.value for word in call.keywords}
        if "new_column_name" in given:
            yield "renames a column"
        if "type_" in given:
            yield "changes a column's type"
        if isinstance(no := given.get("nullable"), ast.Constant) and no.value is False:
            yield "forbids NULL in a column"
    if name == "add_column" and _text(call, 0) not in new and len(call.args) > 1:
        column = call.args[1]
        words = {one.arg: one.value for one in getattr(column, "keywords", [])}
        needed = isinstance(no := words.get("nullable"), ast.Constant) and no.value is False
        if needed and "server_default" not in words:
            yield "adds a column that the version before does not fill"
    if name == "execute":
        for pattern, what in IN_SQL.items():
            if re.search(pattern, _sql(call), re.I):
                yield what


def _locks(call: ast.Call, new: set[str]) -> Iterator[str]:
    name = _name(call)
    if name == "create_index" and _text(call, 1) not in new:
        yield "makes an index, which locks the table"
    checked = {"create_unique_constraint", "create_check_constraint", "create_foreign_key"}
    if name in checked and _text(call, 1) not in new:
        yield "checks every row of a table, which locks it"
    if name == "execute" and (match := INDEX_IN_SQL.search(_sql(call))) and match[3] not in new:
        yield "makes an index, which locks the table"


def _name(call: ast.Call) -> str:
    """The word of `op.word(...)`, and of `batch.word(...)`."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _text(call: ast.Call, place: int) -> str:
    given = call.args[place] if len(call.args) > place else None
    return str(given.value) if isinstance(given, ast.Constant) else ""


def _sql(call: ast.Call) -> str:
    """Every text in it; what a variable holds cannot be seen."""
    texts = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant)]
    return " ".join(text for text in texts if isinstance(text, str))
