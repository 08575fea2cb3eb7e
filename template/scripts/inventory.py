"""Lists of what is logged and of what the app is built from, read from code and lock file."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
LOGGERS = {"log", "line"}
RECORDS = {"audit.record", "audit.event"}
OWNERS = re.compile(rf"\b({'|'.join([*LOGGERS, 'audit'])})\b")
NOT_TOLD = "not told"

LOGS = """\
# What is logged where

| Layer | What | Form | Where it goes | Kept |
| --- | --- | --- | --- | --- |
| app | the events below, and what libraries warn of | a JSON object a line, times in UTC, with the request's id | standard output | as long as whoever collects it says |
| audit log | who did what: the actions below | rows that form a chain, see `app audit verify` | the table `audit_events` | for ever |
| proxy, database, containers | their own logs | theirs | your host's | as you say |

The app writes to nothing else. Lines hold no mail addresses, names, phone numbers, credentials or
words of people (`tests/core/test_data.py`, `tests/core/test_logging.py`); what slips through from a
library is masked. Whoever may read standard output of the host reads the lines; the audit log opens
with the permission `audit.read`, to the own organisation, and nobody can change it. Ship both to
another system, and have it ring for every line of level error and for `audit.tampered`.
Written by `scripts/document.py` from the code.
"""  # noqa: E501
COMPONENTS = """\
# What the app is built from

Every package of `uv.lock`, which has version, origin and hash of each; `uv sync --locked` installs
nothing else. All come from PyPI, and none that runs in production has a licence that asks for the
app's own source (`tests/docs/test_inventory.py`). *Direct* ones are named in pyproject.toml, with
*development* those that only build and test. Written by `scripts/document.py`; `uv export --format
cyclonedx1.5` writes an SBOM of it with versions.

| Package | Licence | |
| --- | --- | --- |
"""


def logged() -> Iterator[tuple[str, str, str]]:
    """Event, level and file of each line that the app logs. Raises for one without a name."""
    for path, name, call in _calls():
        owner, _, method = name.rpartition(".")
        if owner in LOGGERS and method in LEVELS:
            yield _name(path, call.args[0]), method, path


def audited() -> Iterator[tuple[str, str]]:
    """Action and file of each event of the audit log."""
    for path, name, call in _calls():
        if name in RECORDS and not path.startswith("app/audit/"):
            for action in _choices(path, call.args[-1]):
                yield action, path


@cache
def _calls() -> list[tuple[str, str, ast.Call]]:
    """The file, the function's name and the call, of all that is called as `owner.method()`, in
    each file that names one of our owners."""
    return [
        (path.relative_to(ROOT).as_posix(), f"{node.func.value.id}.{node.func.attr}", node)
        for path in sorted((ROOT / "app").rglob("*.py"))
        if OWNERS.search(text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
    ]


def _choices(path: str, node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from _choices(path, node.body)
        yield from _choices(path, node.orelse)
    elif isinstance(node, ast.Name):
        yield from _handed_on(path, node.id)
    else:
        yield _name(path, node)


def _handed_on(path: str, parameter: str) -> Iterator[str]:
    """What a function of the same file is given as the parameter that it hands on."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    places = {
        node.name: [one.arg for one in node.args.args].index(parameter)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and parameter in [one.arg for one in node.args.args]
    }
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and (place := places.get(ast.unparse(call.func))) is not None:
            given = {one.arg: one.value for one in call.keywords}
            if not isinstance(value := given.get(parameter) or call.args[place], ast.Name):
                yield from _choices(path, value)


def _name(path: str, node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = (one.value if isinstance(one, ast.Constant) else "*" for one in node.values)
        return "".join(map(str, parts))
    raise TypeError(f"{path}:{node.lineno}: an event without a name")


def logs_page() -> str:
    lines = [LOGS, "## The app's events", "", "| Event | Level | Code |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {level} | {path} |" for name, level, path in sorted(set(logged()))]
    lines += ["", "## The audit log's actions", "", "| Action | Code |", "| --- | --- |"]
    lines += [f"| `{name}` | {path} |" for name, path in sorted(set(audited()))]
    return "\n".join(lines) + "\n"


@cache
def packages() -> list[dict[str, Any]]:
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    return [one for one in lock["package"] if "registry" in one["source"]]


def named() -> tuple[set[str], set[str]]:
    """The packages that pyproject.toml names: those that run, and those for development."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    given = project["dependency-groups"]
    # A group that another includes stands there with its name, and among the groups itself.
    groups = {
        name: {_package(one) for one in requirements if isinstance(one, str)}
        for name, requirements in given.items()
    }
    direct = groups.pop("platform") | set(map(_package, project["project"]["dependencies"]))
    return direct, set().union(*groups.values())


def _package(requirement: str) -> str:
    return re.split(r"[\[<>=;~! ]", requirement, maxsplit=1)[0].lower()


def running() -> set[str]:
    """Every package that production has: the direct ones and what they need."""
    needs = {}
    for one in packages():
        extras = one.get("optional-dependencies", {}).values()
        wanted = [*one.get("dependencies", []), *(more for extra in extras for more in extra)]
        needs[one["name"]] = {need["name"] for need in wanted}
    found: set[str] = set()
    left = set(named()[0])
    while left:
        found |= left
        left = {need for name in left for need in needs.get(name, ())} - found
    return found


def licence(package: str) -> str:
    """What an installed package says; packages of other systems are not here to ask."""
    try:
        told = metadata(package)
    except PackageNotFoundError:
        return "not installed here"
    if expression := told.get("License-Expression"):
        return str(expression)
    kinds = [
        one.rpartition(" :: ")[2]
        for one in told.get_all("Classifier", [])
        if one.startswith("License ::") and one.count("::") > 1
    ]
    first = str(told.get("License") or "").strip().splitlines()
    return ", ".join(kinds) or (first[0][:60] if first else NOT_TOLD)


def components_page() -> str:
    direct, development = named()
    runs = running()
    lines = []
    for name in sorted({one["name"] for one in packages()}):
        kind = "direct" if name in direct else "" if name in runs else "development"
        if name in development and name not in runs:
            kind = "development, direct"
        lines.append(f"| `{name}` | {licence(name)} | {kind} |")
    return COMPONENTS + "\n".join(lines) + "\n"
