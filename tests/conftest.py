"""Rendering inside this process, from a copy of the work tree: what is not committed counts too."""

import gc
import importlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import copier
import pytest
import yaml
from fast_copier import fast

# What is imported and collected stays; looking through it for garbage was a tenth of the time.
gc.set_threshold(50_000, 20, 20)

ROOT = Path(__file__).parent.parent
ANSWER_FILES = sorted((ROOT / "tests" / "answers").glob("*.yml"))

Render = Callable[..., Path]

# Half of what the quick tests take would be files that are written and taken away again.
MEMORY = Path("/dev/shm")
ROOM = 4 * 1024**3


def pytest_configure(config: pytest.Config) -> None:
    """The quick tests write into memory where there is room; the others need gigabytes."""
    # The same from C, for us and for Copier: it reads a tenth as long.
    vars(yaml)["SafeLoader"] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    quick = config.getoption("markexpr") == "not slow" and "TMPDIR" not in os.environ
    if quick and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Of the other tier, files without a slow test are not even imported: each worker would take
    seconds to make the rows and cases of tests that it does not run."""
    is_test = collection_path.match("test_*.py") and config.getoption("markexpr") == "slow"
    return True if is_test and "mark.slow" not in collection_path.read_text("utf-8") else None


# The longest chains of steps begin first: at the end they would keep one core waiting.
LONGEST = ("[prototype]", "each_further_option", "lives_on")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not any(one in item.name for one in LONGEST))


def pytest_collection_finish() -> None:
    gc.freeze()


@pytest.fixture(autouse=True)
def _undisturbed(monkeypatch: pytest.MonkeyPatch, no_settings: Path) -> None:
    """Neither this machine's settings for copier and git nor an outer make may change a result."""
    monkeypatch.setenv("COPIER_SETTINGS_PATH", str(no_settings))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(no_settings.parent / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.com")
    for name in ("MAKEFLAGS", "MAKELEVEL", "VIRTUAL_ENV", "CI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def no_settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    empty = tmp_path_factory.mktemp("settings") / "settings.yml"
    empty.write_text("{}")
    # Nothing here outlives the test, so git need not wait for the disk, nor clean up.
    (empty.parent / "gitconfig").write_text("[core]\n\tfsync = none\n[gc]\n\tauto = 0\n")
    return empty


@pytest.fixture(scope="session")
def fast_copier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with fast(tmp_path_factory.mktemp("clones")):
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git would commit now, in a folder without git."""
    return copy_work_tree(tmp_path_factory.mktemp("template") / "eighty")


def copy_work_tree(destination: Path) -> Path:
    for name in git(ROOT, "ls-files", "-co", "--exclude-standard", "-z").split("\0"):
        if name and (ROOT / name).is_file():
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, destination / name)
    return destination


@pytest.fixture
def render(template: Path, tmp_path: Path, fast_copier: None) -> Render:
    """Render with these answers and the defaults for the rest. Nothing is trusted."""
    numbers = itertools.count()

    def rendered(**answers: Any) -> Path:
        destination = tmp_path / f"project{next(numbers)}"
        copier.run_copy(
            str(template), destination, data=answers, defaults=True, quiet=True, unsafe=False
        )
        return destination

    return rendered


@pytest.fixture(scope="session")
def types_known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of mypy that starts with what `make app` found out, if it did.

    mypy compares what is in the files, not where they are, and most are as in template/.
    """
    found = tmp_path_factory.mktemp("mypy")
    if (before := ROOT / "template" / ".mypy_cache").exists():
        shutil.copytree(before, found, dirs_exist_ok=True)
    return found


@pytest.fixture
def known_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    """A uv that was fetched for us serves the projects, too: each would fetch one of its own, which
    costs as much as the installing that follows. test_setup.py fetches one, and so does a demo."""
    fetched = ROOT / ".local" / "uv" / "bin"
    monkeypatch.setenv("PATH", os.pathsep.join([os.environ["PATH"], str(fetched)]))


# As a pipeline sets up: it writes no pages, which loads the packages; they are known by then.
# test_setup.py sets up in one go, as people do.
INSTALL = ["setup", "CI=1"]


def know_packages(project: Path) -> None:
    """Give a project's packages what Python compiled of the very same files in template/.

    uv links both to one file of its cache. Where it copies, all is compiled as it is at people's.
    """
    for theirs in project.glob(".venv/lib/python*/site-packages"):
        ours = ROOT / "template" / theirs.relative_to(project)
        for compiled in ours.rglob("__pycache__/*.pyc"):
            folder = theirs / compiled.parent.relative_to(ours)
            source = f"{compiled.name.partition('.')[0]}.py"
            # Gone meanwhile, compiled already, on another disk: nothing is missing.
            with suppress(OSError):
                if (folder.parent / source).samefile(compiled.parent.parent / source):
                    folder.mkdir(exist_ok=True)
                    (folder / compiled.name).hardlink_to(compiled)


@pytest.fixture
def ship(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """A script of scripts/ship as a module; it finds its neighbours beside it."""
    scripts = ROOT / "template" / "scripts"
    before = set(sys.modules)
    for folder in (scripts, scripts / "ship"):
        monkeypatch.syspath_prepend(str(folder))
    yield importlib.import_module
    for name in {path.stem for path in (scripts / "ship").glob("*.py")} - before:
        sys.modules.pop(name, None)


def answers_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def tree(project: Path, *, without: tuple[str, ...] = (".git",)) -> dict[str, bytes]:
    """Every file below the project, by its path."""
    return {
        path.relative_to(project).as_posix(): path.read_bytes()
        for path in sorted(project.rglob("*"))
        if path.is_file() and path.relative_to(project).parts[0] not in without
    }


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"git {arguments[0]}: {done.stdout}{done.stderr}"
    return done.stdout


def commit_all(folder: Path, message: str = "All of it") -> None:
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
