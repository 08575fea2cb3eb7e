"""Real processes on a real cluster: one server, shared, and gone with the last who used it."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.core.embedded_processes import Holder, alive, keeper_of, pid, read, running, until, write

pytestmark = pytest.mark.dear


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


@pytest.mark.parametrize("keepers", [1, 2])
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_stops_also_when_its_folder_was_deleted_or_moved_meanwhile(tmp_path, keepers):
    folder = tmp_path / "database"
    first = Holder(folder)
    first.urls()
    number = pid(folder)
    if keepers == 2:
        os.kill(keeper_of(folder), signal.SIGKILL)
        second = Holder(folder)
        second.urls()
        second.leave()
    folder.rename(tmp_path / "moved")

    time.sleep(0.5)
    assert alive(number)  # the first still uses it
    first.leave()
    until(lambda: not alive(number))
    assert not running(tmp_path / "moved")


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


def test_a_long_server_log_is_cut_off_at_the_next_start(folder, holder):
    log = folder / "server.log"
    log.write_bytes(b"x" * 1_100_000)
    holder().urls()
    assert log.stat().st_size < 100_000
