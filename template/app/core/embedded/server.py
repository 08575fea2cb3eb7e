"""Starting the server, and asking whether it is up."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from psycopg.pq import PGconn, Ping

from app.core.embedded import keeper, programs
from app.core.embedded.cluster import ADMIN, initialize
from app.core.embedded.locks import WAIT_SECONDS, held, lock
from app.core.embedded.refusals import refusal
from app.core.errors import CannotStart

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


@dataclass(frozen=True)
class Server:
    pid: int
    socket: str
    launched: bool


def ensure(folder: Path, password: str, durable: bool) -> Server:
    """Waits for the server and starts it if there is none; the caller holds the start lock."""
    log = folder / "server.log"
    log_start = 0
    launched = False
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        pid, socket = postmaster(folder)
        alive = held(folder / "server.lock")
        if alive and socket and _answers(socket):
            if not held(folder / "keeper.lock"):
                _keep(folder, socket, adopt=pid)
            return Server(pid, socket, launched)
        if alive:
            time.sleep(0.01)
        elif launched:
            raise refusal(_read(log, log_start), folder)
        else:
            log_start = _launch(folder, password, durable)
            launched = True
    raise CannotStart(f"PostgreSQL does not answer after {WAIT_SECONDS} s: see {log}.")


def postmaster(folder: Path) -> tuple[int, str]:
    """The server's process id and socket folder, as it wrote them down: (0, "") when it has not."""
    try:
        lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
        return int(lines[0]), lines[4]
    except (FileNotFoundError, IndexError, ValueError):
        return 0, ""


def _answers(socket: str) -> bool:
    """Whether the server accepts connections, a full house included."""
    # libpq would read spaces and quotes in a bare value.
    quoted = socket.replace("\\", "\\\\").replace("'", "\\'")
    return PGconn.ping(f"host='{quoted}' port=5432 user={ADMIN}".encode()) == Ping.OK


def _launch(folder: Path, password: str, durable: bool) -> int:
    data = folder / "data"
    try:
        major = int((data / "PG_VERSION").read_text())
    except FileNotFoundError:
        major = None
    install = programs.find(major)
    account = programs.account(install, folder)
    if major is None:
        initialize(folder, install, account, password, durable)
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
    keeper_fd = lock(folder / "keeper.lock", patient=bool(command))
    server_fd = None if adopt else lock(folder / "server.lock")
    in_use_fd = os.open(folder / "in-use.lock", os.O_RDWR)
    program = shutil.which((command or ["/bin/sh"])[0])
    order = {
        "adopt": adopt,
        "command": [program, *command[1:]] if command else [],
        "environment": programs.environment(),
        "user": user,
        "keeper_fd": keeper_fd,
        "server_fd": server_fd,
        "server_lock": str(folder / "server.lock"),
        "in_use_fd": in_use_fd,
        "socket": socket,
    }
    try:
        with (folder / "server.log").open("ab") as log:
            subprocess.run(  # noqa: S603 - our own program
                [sys.executable, "-I", "-S", keeper.__file__, json.dumps(order)],
                pass_fds=[fd for fd in (keeper_fd, server_fd, in_use_fd) if fd is not None],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                check=True,
            )
    finally:
        for fd in (keeper_fd, server_fd, in_use_fd):
            if fd is not None:
                os.close(fd)


def _read(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace")
