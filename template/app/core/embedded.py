"""A PostgreSQL of the app's own for laptops and tests: nothing to install, nothing to remember.

Every process that calls `start` shares one server for as long as it lives; the last one out stops
it. Nobody cleans up: a process holds its place by a lock that the kernel drops when it dies.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from app.core.embedded_install import Account, Install

DATABASE = "app"
ADMIN = "postgres"
WAIT_SECONDS = 120

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": "5432",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "huge_pages": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_checkpoints": "off",
}
# Killed processes lose nothing this way; a power cut may lose everything.
FAST_SETTINGS = {"fsync": "off", "full_page_writes": "off"}

_places: dict[Path, int] = {}


@dataclass(frozen=True)
class Urls:
    app: str = field(repr=False)
    owner: str = field(repr=False)
    admin: str = field(repr=False)

    def of(self, database: str) -> Urls:
        """The same three accounts in another database of this server."""
        from app.core.database_roles import in_database

        return Urls(*(in_database(url, database) for url in (self.app, self.owner, self.admin)))


def start(folder: Path, *, environment: str | None = None, durable: bool = True) -> Urls:
    """Returns the addresses of the server whose files are in `folder`, starting it when it sleeps.

    `durable=False` is for databases that may vanish with the machine, as those of tests.
    """
    from app.core.embedded_install import CannotStart

    if (environment or os.environ.get("APP_ENV")) == "production":
        raise CannotStart(
            "The embedded database is for development and tests: "
            "in production set DATABASE_URL to a PostgreSQL server."
        )
    if sys.platform == "win32":
        raise CannotStart(
            "The embedded database does not run on Windows: "
            "use WSL, or set DATABASE_URL to a PostgreSQL server."
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _start(folder.resolve(), durable)
    except OSError as error:
        raise CannotStart(_sentence(error, folder)) from error


def _start(folder: Path, durable: bool) -> Urls:
    with _locked(folder / "start.lock"):
        place = _places.get(folder)
        # Shared by all who use the server; waits while the keeper stops it.
        held = _lock(folder / "in-use.lock", shared=True) if place is None else place
        try:
            urls = _serve(folder, durable)
        except BaseException:
            if place is None:
                os.close(held)
            raise
        _places[folder] = held
        return urls


def _serve(folder: Path, durable: bool) -> Urls:
    from app.core.embedded_install import CannotStart

    data = folder / "data"
    passwords = _passwords(folder)
    log = folder / "server.log"
    log_start = 0
    launched = False
    deadline = time.monotonic() + WAIT_SECONDS
    while not _answers(data):
        if time.monotonic() > deadline:
            raise CannotStart(f"PostgreSQL does not answer after {WAIT_SECONDS} s: see {log}.")
        if _held(folder / "server.lock"):
            time.sleep(0.01)
        elif launched:
            raise CannotStart(_why(log, log_start, folder))
        else:
            log_start = _launch(folder, passwords["admin"], durable)
            launched = True
    if not launched and not _held(folder / "keeper.lock"):
        pid, socket = _postmaster(data)
        _keep(folder, socket, adopt=pid)
    urls = _urls(data, passwords)
    prepared = folder / "prepared"
    if launched or not prepared.exists():
        from app.core.database_roles import create_roles

        create_roles(
            urls.admin,
            database=DATABASE,
            app_password=passwords["app"],
            owner_password=passwords["owner"],
        )
        prepared.touch(mode=0o600)
    return urls


def _urls(data: Path, passwords: dict[str, str]) -> Urls:
    where = quote(_postmaster(data)[1], safe="/")

    def url(user: str, password: str, database: str) -> str:
        return f"postgresql://{user}:{password}@/{database}?host={where}&port=5432"

    return Urls(
        app=url("app", passwords["app"], DATABASE),
        owner=url("app_owner", passwords["owner"], DATABASE),
        admin=url(ADMIN, passwords["admin"], "postgres"),
    )


def _answers(data: Path) -> bool:
    """Whether the server accepts connections, a full house included."""
    from psycopg.pq import PGconn, Ping

    _, socket = _postmaster(data)
    if not socket or not _held(data.parent / "server.lock"):
        return False
    # libpq would read spaces and quotes in a bare value.
    quoted = socket.replace("\\", "\\\\").replace("'", "\\'")
    return PGconn.ping(f"host='{quoted}' port=5432 user={ADMIN}".encode()) == Ping.OK


def _postmaster(data: Path) -> tuple[int, str]:
    """The server's process id and socket folder, as it wrote them down: (0, "") when it has not."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        return int(lines[0]), lines[4]
    except (FileNotFoundError, IndexError, ValueError):
        return 0, ""


def _launch(folder: Path, password: str, durable: bool) -> int:
    from app.core import embedded_install

    data = folder / "data"
    try:
        major = int((data / "PG_VERSION").read_text())
    except FileNotFoundError:
        major = None
    install = embedded_install.find(major)
    account = embedded_install.account(install, folder)
    if major is None:
        _initialize(folder, install, account, password, durable)
    # No process of it lives, whatever this says: its number may be somebody else's by now.
    (data / "postmaster.pid").unlink(missing_ok=True)
    socket = account.socket_folder()
    for stale in socket.glob(".s.PGSQL.*"):
        stale.unlink()
    settings = SETTINGS | {"unix_socket_directories": f'"{socket}"'}
    if not durable:
        settings |= FAST_SETTINGS
    arguments = [f"--{name}={value}" for name, value in settings.items()]
    log = folder / "server.log"
    if log.exists() and log.stat().st_size > 1_000_000:
        log.unlink()
    log.touch(mode=0o600)
    log_start = log.stat().st_size
    _keep(
        folder,
        str(socket),
        command=account.command("postgres", "-D", str(data.resolve()), *arguments),
        user=list(account.user or ()),
    )
    return log_start


def _keep(
    folder: Path,
    socket: str,
    *,
    adopt: int = 0,
    command: list[str] | None = None,
    user: list[int] | None = None,
) -> None:
    """Starts the keeper, and by it the server; both inherit the lock that says they live."""
    import subprocess

    from app.core import embedded_install, embedded_keeper

    keeper = _lock(folder / "keeper.lock", patient=bool(command))
    server = None if adopt else _lock(folder / "server.lock")
    in_use = os.open(folder / "in-use.lock", os.O_RDWR)
    program = shutil.which((command or ["/bin/sh"])[0])
    order = {
        "adopt": adopt,
        "command": [program, *command[1:]] if command else [],
        "environment": embedded_install.environment(),
        "user": user,
        "keeper_fd": keeper,
        "server_fd": server,
        "server_lock": str(folder / "server.lock"),
        "in_use_fd": in_use,
        "socket": socket,
    }
    try:
        with (folder / "server.log").open("ab") as log:
            subprocess.run(  # noqa: S603 - our own program
                [sys.executable, "-I", "-S", embedded_keeper.__file__, json.dumps(order)],
                pass_fds=[fd for fd in (keeper, server, in_use) if fd is not None],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                check=True,
            )
    finally:
        for fd in (keeper, server, in_use):
            if fd is not None:
                os.close(fd)


def _initialize(
    folder: Path, install: Install, account: Account, password: str, durable: bool
) -> None:
    """Makes the cluster beside its place and moves it there whole: a kill leaves nothing half."""
    draft = account.home / "data.new"
    target = account.home / "data"
    secret = account.home / "data.password"
    for rest in (draft, target):
        shutil.rmtree(rest, ignore_errors=True)
    (folder / "prepared").unlink(missing_ok=True)
    _write_secret(secret, password)
    account.own(secret)
    draft.mkdir(mode=0o700)
    account.own(draft)
    locale = (
        ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        if install.major >= 17
        else ["--locale-provider=libc", "--lc-collate=C", "--lc-ctype=C.UTF-8"]
    )
    lock = _lock(folder / "server.lock")
    try:
        done = account.run(
            account.command(
                "initdb",
                f"--pgdata={draft}",
                f"--username={ADMIN}",
                f"--pwfile={secret}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-instructions",
                *locale,
                *([] if durable else ["--no-sync"]),
            ),
            lock,
        )
    finally:
        os.close(lock)
        secret.unlink()
    if done.returncode:
        from app.core.embedded_install import CannotStart

        shutil.rmtree(draft, ignore_errors=True)
        raise CannotStart(_reason(done.stdout, folder))
    draft.rename(target)
    if target != folder / "data":
        (folder / "data").unlink(missing_ok=True)
        (folder / "data").symlink_to(target)


def _passwords(folder: Path) -> dict[str, str]:
    from app.core.embedded_install import CannotStart

    path = folder / "passwords.json"
    if path.exists():
        found: dict[str, str] = json.loads(path.read_text())
        return found
    if (folder / "data").exists():
        raise CannotStart(
            f"{path} is gone, and without it nobody gets into the database beside it: "
            f"put it back, or delete {folder} to start afresh."
        )
    made = {name: secrets.token_urlsafe(32) for name in ("admin", "owner", "app")}
    draft = folder / "passwords.new"
    _write_secret(draft, json.dumps(made))
    draft.rename(path)
    return made


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = _lock(path)
    try:
        yield
    finally:
        os.close(lock)


def _lock(path: Path, *, shared: bool = False, patient: bool = True) -> int:
    import fcntl

    from app.core.embedded_install import CannotStart

    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if not patient or time.monotonic() > deadline:
                os.close(lock)
                raise CannotStart(
                    f"Another process has held {path} for {WAIT_SECONDS} s: end it and try again."
                ) from None
            time.sleep(0.01)
        except BaseException:
            os.close(lock)
            raise
        else:
            return lock


def _held(path: Path) -> bool:
    from app.core.embedded_keeper import held

    return held(str(path))


def _why(log: Path, start: int, folder: Path) -> str:
    with log.open("rb") as file:
        file.seek(start)
        return _reason(file.read().decode(errors="replace"), folder)


def _reason(output: str, folder: Path) -> str:
    if os.strerror(errno.ENOSPC) in output:
        return _sentence(OSError(errno.ENOSPC, ""), folder)
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    # Who asked too early was told so by a FATAL too.
    grave = [line for line in lines if re.search("(PANIC|FATAL|error):", line)]
    telling = [line for line in grave if "the database system is" not in line] or lines[-1:]
    said = telling[0] if telling else "it said nothing"
    return f"PostgreSQL did not start ({said}): see {folder / 'server.log'}, or set DATABASE_URL."


def _sentence(error: OSError, folder: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full: the embedded database in {folder} needs about 100 MB, free some."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"This account may not use {error.filename or folder}: "
            "change its owner, or delete it if another account made it."
        )
    return f"The embedded database in {folder} cannot start: {error}."
