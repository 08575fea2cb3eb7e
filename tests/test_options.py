"""Whatever is answered, what comes out is whole."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import copier
import pytest
import questionnaire
import yaml
from conftest import ANSWER_FILES, ROOT, Render, answers_of, commit_all, git, tree
from covering import Row, covering_rows, pairs, some_row
from documents import left_out
from further import OPTIONS, chosen

CHECKS = questionnaire.checks()
# What a Windows file name may not hold or be.
FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]|[ .]$')
DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)),
}
BINARY = {".gif", ".gz", ".ico", ".jpg", ".png", ".webp", ".woff2"}


def offered() -> dict[str, list[Any]]:
    """The choices that can be had today; a list is with and without each, a number low and high."""
    found: dict[str, list[Any]] = {}
    for name, question in questionnaire.asked().items():
        if question["type"] == "int":
            found[name] = list(CHECKS.numbers[name])
        elif name in CHECKS.rooms:
            values = [value for value, reason in CHECKS.rooms[name].items() if not reason]
            if question.get("multiselect"):
                found[name] = [
                    [],
                    *([value] for value in values),
                    *([values] if values[1:] else []),
                ]
            else:
                found[name] = [{"true": True, "false": False}.get(v, v) for v in values]
    # All of them are in test_providers.py; here they would double the rows.
    found["llm_fallback"] = ["none", "bedrock"]
    return found


def completed(row: Row) -> Row:
    """The row as it would be given with --data."""
    row = dict(row) | ({"sign_up_domains": "example.com"} if row["sign_up"] == "domain" else {})
    return {name: list(v) if isinstance(v, tuple) else v for name, v in row.items()}


def possible(row: Row) -> bool:
    return not CHECKS.refusals(completed(row), True, True).strip()


OFFERED = {
    name: [tuple(v) if isinstance(v, list) else v for v in values]
    for name, values in offered().items()
}
ROWS = covering_rows(OFFERED, possible)


def test_the_rows_hold_every_pair_that_can_stand_together() -> None:
    held = {pair for row in ROWS for pair in pairs({name: [v] for name, v in row.items()})}

    for pair in pairs(OFFERED) - held:
        row = some_row(dict(pair), OFFERED, possible)
        assert row is None, f"{pair} is possible, as in {row}, and in no row"


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_any_two_choices_together_give_a_whole_project(render: Render, row: Row) -> None:
    """It also passes the linter that it comes with."""
    project = render(**completed(row))

    assert_whole(project)
    if (new := lines_for_the_linter(project)) not in LINTED:
        LINTED.add(new)
        for arguments in (["check"], ["format", "--check"]):
            done = subprocess.run(
                [tool("ruff"), *arguments, "--no-cache", str(project)],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout


LINTED: set[str] = set()


def lines_for_the_linter(project: Path) -> str:
    """Its rules, and what is not as it stands in template/, where `make app` asks the linter.

    So one project of each kind is enough for all of that kind.
    """
    rules = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]
    own = [
        (name, text)
        for path in sorted(project.rglob("*.py"))
        for name, text in [(path.relative_to(project), path.read_bytes())]
        if not (there := ROOT / "template" / name).exists() or there.read_bytes() != text
    ]
    return repr((rules, own))


@pytest.mark.parametrize("path", ANSWER_FILES, ids=lambda path: path.stem)
def test_each_promised_project_is_whole_and_the_same_each_time(render: Render, path: Path) -> None:
    answers = answers_of(path)
    project = render(**answers)

    assert_whole(project)
    recorded = answers_of(project / ".copier-answers.yml")
    assert recorded == recorded | answers, "an answer that was given is not remembered"
    assert tree(project) == tree(render(**answers))


def test_the_promised_projects_have_no_further_option_each_alone_and_all_of_them() -> None:
    promised = [chosen(answers_of(path)) for path in ANSWER_FILES]

    assert len(OPTIONS) >= 4
    missing = [one for one in (set(), *({one} for one in OPTIONS)) if one not in promised]
    assert not missing, "tests/answers lacks a project with just this"
    assert set(OPTIONS) in promised, "tests/answers lacks a project with all of them"


def assert_whole(project: Path) -> None:
    for path in sorted(project.rglob("*")):
        name = path.relative_to(project).as_posix()
        if path.is_dir():
            assert any(path.iterdir()), f"{name} is empty"
            continue
        if path.suffix in BINARY:
            continue
        raw = path.read_bytes()
        assert b"\r" not in raw, f"{name} has Windows line ends"
        text = raw.decode("utf-8")
        assert not text or "/vendor/" in name or text.endswith("\n"), (
            f"{name} does not end its last line"
        )
        assert "# {%" not in text, f"{name} holds a tag of the template"
        if not name.startswith(("deploy/chart/templates/", "deploy/cluster/templates/")):
            assert_read(path.suffix, text)
    assert not (project / "uv.lock").exists()
    assert answers_in_app(project)["project"]["slug"] in (project / "pyproject.toml").read_text()
    assert not (named := left_out(project)), f"documents name what was left out: {named}"


@cache
def assert_read(suffix: str, text: str) -> None:
    """Most files are the same in most projects; once is enough for those."""
    if suffix == ".py":
        ast.parse(text)
    elif suffix == ".toml":
        tomllib.loads(text)
    elif suffix in {".yml", ".yaml"}:
        list(yaml.safe_load_all(text))
    elif suffix == ".json":
        json.loads(text)


def answers_in_app(project: Path) -> dict[str, dict[str, Any]]:
    return tomllib.loads((project / "app" / "answers.toml").read_text(encoding="utf-8"))


def tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def test_file_names_are_safe_on_windows(render: Render) -> None:
    paths = [PurePosixPath(name) for name in tree(render())]

    for path in paths:
        assert len(str(path)) <= 120, f"{path} is too long below a Windows home folder"
        for part in path.parts:
            assert part.isascii(), path
            assert not FORBIDDEN.search(part), path
            assert part.split(".")[0].lower() not in DEVICES, path
    folded = [str(path).lower() for path in paths]
    assert len(folded) == len(set(folded)), "two names differ in case only"


def test_copier_as_people_run_it_needs_no_trust_and_gives_what_the_tests_see(
    render: Render, template: Path, tmp_path: Path
) -> None:
    ours = render()
    seen = tree(ours)
    released = tmp_path / "released"
    subprocess.run(["cp", "-R", str(template), str(released)], check=True)
    commit_all(released)
    git(released, "tag", "v9.0.0")

    done = subprocess.run(
        [tool("copier"), "copy", "--defaults", str(released), str(tmp_path / "project")],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COPIER_CACHE_DIR": str(tmp_path / "cache")},
    )

    assert done.returncode == 0, done.stderr
    theirs = tmp_path / "project"
    rendered = tree(theirs)
    assert {one: (theirs / one).stat().st_mode for one in rendered} == {
        one: (ours / one).stat().st_mode for one in seen
    }
    assert rendered.pop(".copier-answers.yml") != seen.pop(".copier-answers.yml")  # has _commit
    assert rendered == seen


def test_defaults_let_anyone_sign_up(render: Render) -> None:
    assert answers_in_app(render())["users"]["sign_up"] == "open"


@pytest.mark.parametrize("preset", questionnaire.PRESETS)
def test_a_preset_is_recorded_answer_by_answer(render: Render, preset: str) -> None:
    recorded = answers_of(render(preset=preset) / ".copier-answers.yml")

    recorded.pop("_src_path")
    assert recorded == questionnaire.defaults(preset)


def test_the_regulated_preset_is_the_strict_one(render: Render) -> None:
    regulated, prototype = answers_in_app(render(preset="regulated")), answers_in_app(render())

    assert regulated["users"]["sign_up"] == "invitation"
    assert regulated["users"]["second_factor"] == "everyone"
    assert regulated["hosting"]["data_location"] == "eu"
    for name in ("session_idle_minutes", "session_absolute_hours"):
        assert regulated["users"][name] < prototype["users"][name]


def test_numbers_follow_from_the_answers(render: Render) -> None:
    small, large = render(people_at_peak=1), render(people_at_peak=1_000_000)

    for name, value in answers_in_app(small)["capacity"].items():
        assert 0 < value <= answers_in_app(large)["capacity"][name]
    assert answers_in_app(large)["capacity"]["database_pool_size"] == 20


def test_names_with_other_letters_and_quotes_arrive_unharmed(render: Render) -> None:
    answers = answers_of(ROOT / "tests" / "answers" / "saas.yml")
    project = render(**answers)

    declared = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    told = answers_in_app(project)["project"]
    assert told["name"] == answers["project_name"]
    assert told["description"] == declared["description"] == answers["description"]
    assert declared["name"] == told["slug"] == answers["project_slug"]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Demo", "demo"),
        ("Müller & Söhne KI", "mueller-soehne-ki"),
        ("Żółć", "zolc"),
        ("3rd Floor Tutor!", "rd-floor-tutor"),
        ("Test", "test-app"),
        ("FastAPI", "fastapi-app"),
        ("Class", "class-app"),
        ("AI", "ai-app"),
        ("A very long name that goes on and on and on", "a-very-long-name-that-goes-on-and-on-and"),
    ],
)
def test_a_slug_is_made_from_the_name(render: Render, name: str, slug: str) -> None:
    assert answers_in_app(render(project_name=name))["project"]["slug"] == slug


def test_without_a_web_ui_exactly_the_pages_are_gone(render: Render) -> None:
    everything, api = tree(render()), tree(render(web_ui=False))

    gone = everything.keys() - api.keys()
    assert not api.keys() - everything.keys()
    for name in gone:
        path = PurePosixPath(name)
        assert (
            path.parts[:2] in {("app", "web"), ("tests", "web"), ("tests", "browser")}
            or name == "docs/design-system.md"
            or path.name in {"pages.py", "page_steps.py"}
            or path.name.endswith("_pages.py")
            or {"templates", "static"} & set(path.parts)
            or path.name.startswith("test_pages")
        ), name
    assert any(name.startswith("app/web/") for name in gone)
    assert any(name.endswith("pages.py") for name in gone)
    assert any("/mails/" in name for name in api), "mail is written without a web UI too"
    assert not [name for name in api if name.endswith(".html")]


def test_what_working_in_place_leaves_behind_is_never_rendered(
    template: Path, tmp_path: Path
) -> None:
    messy = tmp_path / "messy"
    subprocess.run(["cp", "-R", str(template), str(messy)], check=True)
    left = [
        ".env", ".venv/bin/python", ".local/uv/bin/uv", ".coverage", "uv.lock", "build/lib/app.py",
        "app/__pycache__/cli.pyc", ".mypy_cache/x.json", ".ruff_cache/x", "tests/.pytest_cache/v",
        ".import_linter_cache/x", "dist/app.whl", "docs/.DS_Store",
    ]  # fmt: skip
    for name in left:
        (messy / "template" / name).parent.mkdir(parents=True, exist_ok=True)
        (messy / "template" / name).touch()
    destination = tmp_path / "project"

    copier.run_copy(str(messy), destination, defaults=True, quiet=True)

    assert not [name for name in left if (destination / name).exists()]
    assert not (destination / ".venv").exists()
