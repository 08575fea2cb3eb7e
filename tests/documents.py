"""What documents name, and whether a project has it: recipes, commands, settings, routes, files."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from conftest import ROOT

TEMPLATE = ROOT / "template"
SHOWN = re.compile(r"`([^`]+)`")
RECIPE = re.compile(r"(?<![\w-])make ((?:[a-z][a-z-]+ ?)+)")
COMMAND = re.compile(r"(?:^|exec app |bin/|--rm \w+ )app ([a-z][a-z-]+)(?: ([a-z][a-z-]+))?")
SETTING = re.compile(r"(?<![\w-])[A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9](?![\w*])")
ROUTE = re.compile(r"(?<![\w/:.<-])/[a-z][\w/{}.-]*[\w/}]")
FILE = re.compile(
    r"(?<![\w/.-])(?:app|tests|docs|deploy|scripts|ops|evals)/[\w./*-]*[\w*]"
    r"|(?<![\w/.-])(?:Dockerfile|Jenkinsfile|compose\.yml|renovate\.json)\b"
)
DECORATED = re.compile(
    r'@\w+\.(?:get|post|put|delete|patch)\(\s*((?:"[^"]*"|[A-Z_]+)(?: \+ (?:"[^"]*"|[A-Z_]+))*)'
)
# Written from the code: by `make setup` in a new project, by `make docs` in one that changed.
# What is left out of asvs.md's tests is marked all the same, and its head says so.
WRITTEN = {
    *("access.md", "settings.md"),
    *(f"security/{one}.md" for one in
      ("asvs", "components", "data", "logs", "outside-services", "tools")),
}  # fmt: skip


# Whoever names one of these says for whom it is: with these words beside it, or as the page begins.
SAID = {
    ("docs/deploy-kubernetes.md", r"deploy/terraform/.+"): "In a cloud",
    ("docs/model-calls.md", r"AWS_\w+"): "AWS's are looked for",
    ("docs/move-your-proof-of-concept-in.md", r"docs/design-system\.md"): "With a web UI",
    ("docs/observability.md", r"ops/elastic.*|\w+_MEMORY"): "log_store=elk",
    ("docs/operations.md", r"deploy/terraform"): "In a cloud",
    ("docs/operations.md", r"\w+_IMAGE"): "What does not run here",
    ("docs/pipelines.md", r"[A-Z_]+"): "the columns below help when you move",
    ("docs/security/ways-in.md", r".+"): "left out of this project",
    ("ops/runbooks/TelemetryLost.md", r"ops/.+|\w+_MEMORY"): "log_store=elk",
    ("docs/updating.md", r"deploy/chart/.+"): "once they are there",
    ("docs/updating.md", r"app/assistant/pages\.py"): "gets its web",
}


class Named(NamedTuple):
    page: str
    paragraph: str
    kind: str
    what: str


def named(project: Path) -> Iterator[Named]:
    for page in pages(project):
        for paragraph, kind, what in _named((project / page).read_text(encoding="utf-8")):
            yield Named(page, paragraph, kind, what)


def pages(project: Path) -> list[str]:
    found = [*project.glob("*.md"), *project.glob("docs/**/*.md"), *project.glob("ops/**/*.md")]
    found += project.glob("deploy/**/*.md")
    names = sorted(path.relative_to(project).as_posix() for path in found)
    return [name for name in names if name.removeprefix("docs/") not in WRITTEN]


@cache
def _named(text: str) -> list[tuple[str, str, str]]:
    found = []
    for paragraph in paragraphs(text):
        for shown in SHOWN.findall(paragraph) if "`" in paragraph else [paragraph]:
            found += [(paragraph, kind, what) for kind, what in _words(shown.replace("\n", " "))]
    return found


def paragraphs(text: str) -> list[str]:
    """Each row of a table by itself; code blocks as one piece without any backtick."""
    parts = []
    for at, block in enumerate(re.split(r"^```.*$", text, flags=re.MULTILINE)):
        if at % 2:
            parts.append(block)
            continue
        for one in re.split(r"\n\s*\n|\n(?=[-*] |\d+\. )", block):
            rows = one.strip("\n").split("\n") if one.lstrip().startswith("|") else [one]
            parts += [row for row in rows if "`" in row or row.startswith("    ")]
    return parts


def _words(shown: str) -> Iterator[tuple[str, str]]:
    for recipes in RECIPE.findall(shown):
        yield from (("recipe", one) for one in recipes.split())
    for group, command in COMMAND.findall(shown):
        yield "command", f"{group} {command}".strip()
    for kind, pattern in (("setting", SETTING), ("route", ROUTE), ("file", FILE)):
        # A name with `__` is a part of a setting that holds several.
        yield from (
            (kind, one if kind != "setting" else one.partition("__")[0])
            for one in pattern.findall(shown)
        )


class Has:
    """What a project has; `whole` is template/, in which all there is can be looked up."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.recipes = set(re.findall(r"^([a-z][a-z-]+):", self.text("Makefile"), re.MULTILINE))
        self.commands = _commands(project)

    def text(self, name: str) -> str:
        return (self.project / name).read_text(encoding="utf-8")

    def it(self, kind: str, what: str) -> bool:
        if kind == "recipe":
            return what in self.recipes
        if kind == "command":
            group, _, command = what.partition(" ")
            words = self.commands.get(group)
            return words is not None and (not words or not command or command in words)
        if kind == "file":
            return any(self.project.glob(what)) if "*" in what else (self.project / what).exists()
        if kind == "route":
            begins = what.rstrip("/") + "/"
            found = [where()[one] for one in where() if one == what or one.startswith(begins)]
            return any(self._holds(name, what) for files in found for name in files)
        return any(self._holds(name, what) for name in where().get(what, ()))

    def _holds(self, name: str, what: str) -> bool:
        if name.startswith("app/") and name.endswith(".py"):
            return (self.project / name).exists()
        return (self.project / name).exists() and what in self.text(name)


def _commands(project: Path) -> dict[str, set[str]]:
    """Groups with their commands; a command of `app` itself has none below it."""
    groups: dict[str, set[str]] = {name: set() for name in _decorated(project / "app" / "cli.py")}
    groups |= {"db": _decorated(project / "app" / "core" / "commands.py", "database")}
    groups |= {"keys": _decorated(project / "app" / "core" / "commands.py", "keys")}
    for path in project.glob("app/*/commands.py"):
        if path.parent.name != "core":
            groups[path.parent.name] = _decorated(path)
    return groups


def _decorated(path: Path, owner: str = "") -> set[str]:
    return set(_decorators(path.read_text(encoding="utf-8"), owner))


@cache
def _decorators(source: str, owner: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for one in node.decorator_list:
            if not (isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute)):
                continue
            if one.func.attr != "command" or owner not in ("", ast.unparse(one.func.value)):
                continue
            name = one.args[0].value if one.args and isinstance(one.args[0], ast.Constant) else ""
            found.append(str(name or node.name.replace("_", "-")))
    return found


@cache
def where() -> dict[str, set[str]]:
    """Settings and routes, each with the files of template/ that know it."""
    found: dict[str, set[str]] = {}
    module = ""
    for line in (TEMPLATE / "docs" / "settings.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            module = f"app/{line[3:]}/settings.py"
        elif setting := re.match(r"\| `([A-Z0-9_]+)`", line):
            found.setdefault(setting[1], set()).add(module)
    own = set(found)
    for path in _sources():
        text, name = path.read_text(encoding="utf-8"), path.relative_to(TEMPLATE).as_posix()
        name = name.removesuffix(".jinja")
        for word in set(SETTING.findall(text)) - own:
            found.setdefault(word, set()).add(name)
        if name.startswith("app/") and path.suffix == ".py":
            for route in _routes(text):
                found.setdefault(route, set()).add(name)
    return found


def _routes(text: str) -> set[str]:
    """The paths of a file with a router; constants may stand for them or for their beginning."""
    known = dict(re.findall(r'^([A-Z_]+) = ("/[^"]*")', text, re.MULTILINE))
    prefix = re.search(r'Router\([^)]*?prefix=("[^"]*"|[A-Z_]+)', text)
    before = _path(prefix[1], known) if prefix else ""
    return {before + _path(path, known) for path in DECORATED.findall(text)}


def _path(written: str, known: dict[str, str]) -> str:
    return "".join(known.get(part, part).strip('"') for part in written.split(" + "))


def _sources() -> list[Path]:
    folders = ("app", "deploy", "ops", "scripts", "tests", ".github")
    found = [path for folder in folders for path in (TEMPLATE / folder).rglob("*")]
    found += [path for path in TEMPLATE.glob("*") if path.name not in {"uv.lock", ".env"}]
    kinds = {".py", ".yml", ".yaml", ".tf", ".sh", ".toml", ".json", ".tfvars", ".jinja", ""}
    return [one for one in found if one.is_file() and one.suffix in kinds]


OURS = Has(TEMPLATE)


def left_out(project: Path) -> list[str]:
    """What the project's documents name and it has not, and nobody says that it need not have."""
    has = Has(project)
    missing = [one for one in named(project) if OURS.it(*one[2:]) and not has.it(*one[2:])]
    return [f"{one.page}: {one.what}" for one in missing if not _said(one, project)]


def _said(one: Named, project: Path) -> bool:
    if one.kind == "route" and ("/api/" in one.paragraph or "`app " in one.paragraph):
        return True  # a page, beside what does the same without one
    start = (project / one.page).read_text(encoding="utf-8").partition("\n| ")[0]
    return any(
        one.page == page and re.fullmatch(what, one.what) and words in one.paragraph + start
        for (page, what), words in SAID.items()
    )
