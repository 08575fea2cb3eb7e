"""An update brings what is new and keeps what is theirs."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import copier
import copier.errors
import pytest
import yaml
from conftest import ANSWER_FILES, ROOT, answers_of, commit_all, copy_work_tree, git, tree

OLD, NEW = "v98.0.0", "v99.0.0"
QUICK = {"everything", "api_only", "saas"}
TAGS = git(ROOT, "tag", "--list", "v*", "--sort=-version:refname").split()[:3]


def look_older(source: Path) -> None:
    """What a release before this one could have been: less of it, and some of it different."""
    template = source / "template"
    (template / "docs" / "updating.md").unlink()
    edit(template / "Makefile", "## Run the tests", "## Test")
    for name in ("compose.yml", "compose.yml.jinja"):
        edit(template / name, "interval: 5s", "interval: 9s")
    edit(template / "Dockerfile", "--retries=3", "--retries=9")
    (template / "app" / "retired.py").write_text('"""Gone in the next release."""\n')
    for name in ("pyproject.toml", "pyproject.toml.jinja"):
        edit(template / name, '"anyio>=', '"idna>=3,<4",\n    "anyio>=')
    questions = source / "questions" / "50-compliance.yml"
    questions.write_text(questions.read_text().partition("\nretention_days:")[0] + "\n")
    for name in ("answers.toml", "answers.toml.jinja"):
        path = template / "app" / name
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if "retention_days" not in line))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path.name} no longer holds {old!r}: choose another line to edit"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template with two releases: one that looks older, and the work tree."""
    return make_releases(tmp_path_factory.mktemp("releases") / "eighty", look_older)


def make_releases(
    source: Path,
    older: Callable[[Path], None],
    newer: Callable[[Path], None] = lambda _: None,
    *,
    small: bool = False,
) -> Path:
    """A repository with two tags; a small one renders a few files, which is enough for a rule."""

    def take() -> None:
        copy_work_tree(source)
        if small:
            for path in [*(source / "template" / "app").iterdir(), source / "template" / "tests"]:
                if path.is_dir():
                    shutil.rmtree(path)

    take()
    older(source)
    with pytest.MonkeyPatch.context() as patch:
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Ada")
            patch.setenv(f"GIT_{role}_EMAIL", "ada@example.com")
        commit_all(source)
        git(source, "tag", OLD)
        git(source, "rm", "-rq", ".")
        take()
        newer(source)
        commit_all(source)
        git(source, "tag", NEW)
    return source


@pytest.fixture(scope="session")
def small_releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "eighty"
    return make_releases(folder, look_older, small=True)


def copy(source: Path, destination: Path, tag: str, **answers: Any) -> Path:
    copier.run_copy(str(source), destination, data=answers, vcs_ref=tag, defaults=True, quiet=True)
    commit_all(destination)
    return destination


def update(project: Path, **options: Any) -> None:
    copier.run_update(project, defaults=True, overwrite=True, quiet=True, **options)


def doctor(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "scripts/doctor.py"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


def refused(project: Path) -> list[str]:
    """What the update could not merge."""
    unmerged = git(project, "diff", "--name-only", "--diff-filter=U").splitlines()
    return unmerged + [str(path) for path in project.rglob("*.rej")]


@pytest.mark.usefixtures("fast_copier")
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=[] if path.stem in QUICK else pytest.mark.slow, id=path.stem)
        for path in ANSWER_FILES
    ],
)
def test_an_untouched_project_becomes_what_a_fresh_one_is(
    releases: Path, tmp_path: Path, path: Path
) -> None:
    answers = answers_of(path)
    answers.pop("retention_days", None)  # the older release does not ask for it
    project = copy(releases, tmp_path / "old", OLD, **answers)

    update(project)

    fresh = copy(releases, tmp_path / "fresh", NEW, **answers)
    assert tree(project) == tree(fresh)
    assert not refused(project)


@pytest.mark.usefixtures("fast_copier")
@pytest.mark.parametrize("tag", TAGS)
def test_a_project_of_a_real_release_becomes_what_a_fresh_one_is(tmp_path: Path, tag: str) -> None:
    source = tmp_path / "eighty"
    git(tmp_path, "clone", "--quiet", str(ROOT), str(source))
    git(source, "rm", "-rq", ".")
    copy_work_tree(source)
    commit_all(source)
    git(source, "tag", NEW)
    project = copy(source, tmp_path / "old", tag)

    update(project, unsafe=True)

    assert tree(project) == tree(copy(source, tmp_path / "fresh", NEW))


@pytest.mark.usefixtures("fast_copier")
def test_what_a_team_wrote_is_still_there(releases: Path, tmp_path: Path) -> None:
    project = copy(releases, tmp_path / "project", OLD, project_name="Ours")
    theirs = {
        "README.md": "# Ours, rewritten\n",
        "SECURITY.md": "Call Ada.\n",
        "app/notes/service.py": '"""Ours."""\n',
        "app/notes/migrations/0001_notes.py": 'revision = "notes_0001"\n',
        "tests/notes/test_notes.py": '"""Ours."""\n',
        "docs/notes.md": "# Notes\n",
        "make/notes.mk": "notes: ## Ours\n",
    }
    for name, text in theirs.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    edit(project / "pyproject.toml", "dependencies = []", 'dependencies = ["packaging>=26"]')
    edit(project / "compose.yml", "shm_size: 256mb", "shm_size: 1gb")
    edit(project / "Makefile", "ruff check --fix", "ruff check --fix --unsafe-fixes")
    commit_all(project)

    update(project)

    assert not refused(project)
    assert {name: (project / name).read_text() for name in theirs} == theirs
    assert 'dependencies = ["packaging>=26"]' in (project / "pyproject.toml").read_text()
    assert '"idna>=3,<4"' not in (project / "pyproject.toml").read_text()
    assert "shm_size: 1gb" in (project / "compose.yml").read_text()
    assert "interval: 5s" in (project / "compose.yml").read_text()
    assert "--unsafe-fixes" in (project / "Makefile").read_text()
    assert "## Run the tests" in (project / "Makefile").read_text()
    assert (project / "docs" / "updating.md").exists()
    assert not (project / "app" / "retired.py").exists()
    assert doctor(project).returncode == 0


@pytest.mark.usefixtures("fast_copier")
def test_the_assistant_is_theirs_from_the_first_day(tmp_path: Path) -> None:
    def older(source: Path) -> None:
        (source / "template" / "app" / "assistant").mkdir()
        for name in ("__init__", "answer", "turns"):
            (source / "template" / "app" / "assistant" / f"{name}.py").write_text('"""Older."""\n')

    def newer(source: Path) -> None:
        (source / "template" / "app" / "assistant" / "migrations").mkdir(parents=True)
        for name in ("__init__", "answer", "turns", "tools", "migrations/0002_tools"):
            (source / "template" / "app" / "assistant" / f"{name}.py").write_text('"""Newer."""\n')

    source = make_releases(tmp_path / "eighty", older, newer, small=True)
    project = copy(source, tmp_path / "project", OLD)
    (project / "app" / "assistant" / "answer.py").write_text('"""Our proof of concept."""\n')
    (project / "app" / "assistant" / "turns.py").unlink()
    commit_all(project)
    before = tree(project / "app" / "assistant")

    update(project)

    assert tree(project / "app" / "assistant") == before
    assert not refused(project)
    assert doctor(project).returncode == 0


@pytest.mark.usefixtures("fast_copier")
def test_an_option_goes_and_comes_back(releases: Path, tmp_path: Path) -> None:
    project = copy(releases, tmp_path / "project", NEW)
    before = tree(project)
    (project / "app" / "notes").mkdir()
    (project / "app" / "notes" / "pages.py").write_text('"""Ours."""\n')
    commit_all(project)

    update(project, data={"web_ui": False}, vcs_ref=copier.VcsRef.CURRENT)
    assert not (project / "app" / "web").exists()
    assert (project / "app" / "notes" / "pages.py").exists(), "their files are not the template's"
    commit_all(project)
    update(project, data={"web_ui": True}, vcs_ref=copier.VcsRef.CURRENT)

    after = tree(project)
    after.pop("app/notes/pages.py")
    assert after == before
    assert not refused(project)


@pytest.mark.usefixtures("fast_copier")
def test_a_question_that_is_new_takes_its_default_from_the_preset(
    small_releases: Path, tmp_path: Path
) -> None:
    project = copy(small_releases, tmp_path / "project", OLD, preset="saas")
    assert "retention_days" not in answers_of(project / ".copier-answers.yml")

    update(project)

    assert answers_of(project / ".copier-answers.yml")["retention_days"] == 365


@pytest.fixture(scope="session")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release that moves a file and a folder, with its entry in `_migrations`."""

    def older(source: Path) -> None:
        (source / "template" / "app" / "prices.py").write_text(PRICES)
        (source / "template" / "app" / "rooms").mkdir()
        (source / "template" / "app" / "rooms" / "kitchen.py").write_text(PRICES)
        (source / "template" / "app" / "unmoved.py").write_text(PRICES)

    def newer(source: Path) -> None:
        (source / "template" / "app" / "costs").mkdir()
        (source / "template" / "app" / "costs" / "prices.py").write_text(PRICES + "NEW = 3\n")
        (source / "template" / "app" / "cellar").mkdir()
        (source / "template" / "app" / "cellar" / "kitchen.py").write_text(PRICES)
        (source / "template" / "app" / "costs" / "unmoved.py").write_text(PRICES)
        edit(source / "copier.yml", "_migrations: []", yaml.safe_dump({"_migrations": [MOVES]}))

    folder = tmp_path_factory.mktemp("moving") / "eighty"
    return make_releases(folder, older, newer, small=True)


PRICES = "".join(f"LINE_{number} = {number}\n\n\n" for number in range(12))
MOVES = {
    "version": NEW,
    "when": "{{ true }}",
    "command": [
        "{{ _copier_python }}", "{{ _copier_conf.src_path }}/hooks/move.py",
        "app/prices.py", "app/costs/prices.py", "app/rooms", "app/cellar",
    ],
}  # fmt: skip


@pytest.mark.usefixtures("fast_copier")
@pytest.mark.parametrize("conflict", ["inline", "rej"])
def test_an_edit_follows_its_file_to_the_new_place(
    moving: Path, tmp_path: Path, conflict: str
) -> None:
    project = copy(moving, tmp_path / "project", OLD)
    edit(project / "app" / "prices.py", "LINE_5 = 5", "LINE_5 = 55  # ours")
    edit(project / "app" / "rooms" / "kitchen.py", "LINE_7 = 7", "LINE_7 = 77  # ours")
    (project / "app" / "rooms" / "ours.py").write_text('"""Ours."""\n')
    commit_all(project)

    update(project, unsafe=True, conflict=conflict)

    moved = (project / "app" / "costs" / "prices.py").read_text()
    assert "LINE_5 = 55  # ours" in moved
    assert "NEW = 3" in moved
    assert "LINE_7 = 77  # ours" in (project / "app" / "cellar" / "kitchen.py").read_text()
    assert (project / "app" / "cellar" / "ours.py").exists()
    assert not (project / "app" / "prices.py").exists()
    assert not (project / "app" / "rooms").exists()
    assert not refused(project)
    assert doctor(project).returncode == 0


@pytest.mark.usefixtures("fast_copier")
def test_a_line_that_both_sides_changed_in_a_moved_file_is_the_one_conflict(
    moving: Path, tmp_path: Path
) -> None:
    project = copy(moving, tmp_path / "project", OLD)
    edit(project / "app" / "prices.py", "LINE_5 = 5", "LINE_5 = 55  # ours")
    edit(project / "app" / "prices.py", "LINE_11 = 11\n\n\n", "LINE_11 = 11\n\n\nOURS = 3\n")
    commit_all(project)

    update(project, unsafe=True)

    moved = (project / "app" / "costs" / "prices.py").read_text()
    assert moved.count("<<<<<<< before updating") == 1
    assert "LINE_5 = 55  # ours" in moved.partition("<<<<<<<")[0]
    assert refused(project) == ["app/costs/prices.py"]
    assert doctor(project).returncode == 1


@pytest.mark.usefixtures("fast_copier")
def test_only_an_update_that_crosses_such_a_release_asks_for_trust(
    moving: Path, tmp_path: Path
) -> None:
    fresh = copy(moving, tmp_path / "fresh", NEW)
    update(fresh, data={"monthly_budget": 7}, vcs_ref=copier.VcsRef.CURRENT)
    old = copy(moving, tmp_path / "old", OLD)

    with pytest.raises(copier.errors.UnsafeTemplateError, match="migrations"):
        update(old)

    assert not git(old, "status", "--porcelain"), "a refused update changes nothing"


@pytest.mark.usefixtures("fast_copier")
def test_the_doctor_finds_an_edit_that_went_with_its_file(moving: Path, tmp_path: Path) -> None:
    project = copy(moving, tmp_path / "project", OLD)
    edit(project / "app" / "unmoved.py", "LINE_5 = 5", "LINE_5 = 55  # ours")
    commit_all(project)

    update(project, unsafe=True)

    seen = doctor(project)
    assert not (project / "app" / "unmoved.py").exists()
    assert seen.returncode == 1
    assert "app/unmoved.py" in seen.stdout
    command = next(line for line in seen.stdout.splitlines() if "git diff" in line)
    shown = git(project, *command.partition("git ")[2].split())
    assert "+LINE_5 = 55  # ours" in shown, "the command that the doctor names shows the edit"


@pytest.mark.usefixtures("fast_copier")
@pytest.mark.parametrize("conflict", ["inline", "rej"])
def test_the_doctor_finds_a_conflict(small_releases: Path, tmp_path: Path, conflict: str) -> None:
    project = copy(small_releases, tmp_path / "project", OLD)
    edit(project / "compose.yml", "interval: 9s", "interval: 7s")
    commit_all(project)

    update(project, conflict=conflict)

    seen = doctor(project)
    assert seen.returncode == 1
    assert "compose.yml" in seen.stdout
    git(project, "add", "--all")
    assert doctor(project).returncode == 1, "adding the file does not resolve it"
