"""Stands beside the embedded PostgreSQL and stops it when the last process that uses it is gone.

Run by `server` as a program of its own, with the standard library only. It holds no state: locks
tell it everything, and the kernel drops those of a killed process.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import signal
import sys
import time

STOP_SECONDS = 30


def spawn(command: list[str], environment: dict[str, str], user: list[int]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        if user:
            os.setgroups([])
            os.setgid(user[1])
            os.setuid(user[0])
        os.execve(command[0], command, environment)  # noqa: S606 - the launcher's own command
    except OSError as error:
        os.write(2, f"FATAL:  {error}\n".encode())
    os._exit(127)


def held(path: str) -> bool:
    """Whether some process of the server still lives: each of them inherited this lock."""
    try:
        lock = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return taken(lock)
    finally:
        os.close(lock)


def taken(lock: int) -> bool:
    """The same of an open file, which may have lost its name."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(lock, fcntl.LOCK_UN)
    return False


def stop(pid: int, server_lock: int) -> None:
    """A fast shutdown; an immediate one when that hangs, for which recovery makes up."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        deadline = time.monotonic() + STOP_SECONDS
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        while time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            if not taken(server_lock):
                return
            time.sleep(0.01)


def main() -> None:
    order = json.loads(sys.argv[1])
    if os.fork():
        os._exit(0)  # the launcher waits for this one only, so it never has a child to reap
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    # The server inherits its own lock and no other.
    os.set_inheritable(order["keeper_fd"], False)
    os.set_inheritable(order["in_use_fd"], False)
    # Open from the beginning: people delete the folder while the server runs.
    server_lock = os.open(order["server_lock"], os.O_RDWR)
    pid: int = order["adopt"]
    if not pid:
        # Without a server there is nothing to keep.
        signal.signal(signal.SIGCHLD, lambda *_: os._exit(0))
        pid = spawn(order["command"], order["environment"], order["user"])
        os.close(order["server_fd"])

    def finish(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # An adopted server may have died, and its number been given away, while we waited.
        if taken(server_lock):
            stop(pid, server_lock)
        with contextlib.suppress(OSError):
            pathlib.Path(order["socket"]).rmdir()  # nobody else cleans the temporary folder
        os._exit(0)

    signal.signal(signal.SIGTERM, finish)
    # Granted once nobody shares the lock; until we exit, newcomers wait.
    if not order["adopt"]:
        fcntl.flock(order["in_use_fd"], fcntl.LOCK_EX)
        finish()
    # The end of another's child sends no signal, so look.
    while taken(server_lock):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(order["in_use_fd"], fcntl.LOCK_EX | fcntl.LOCK_NB)
            finish()
        time.sleep(0.2)


if __name__ == "__main__":
    main()
