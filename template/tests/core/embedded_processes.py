"""Processes that use an embedded database, and what can be seen of it from outside."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from app.core import embedded
from app.core.embedded import locks, server

ROOT = Path(__file__).parents[2]
HOLD = """
import json, sys
from pathlib import Path
from app.core import embedded
urls = embedded.start(Path(sys.argv[1]), environment="test", durable=False)
print(json.dumps([urls.app, urls.owner, urls.admin]), flush=True)
sys.stdin.read()
"""


class Holder:
    """A process that uses the server until it is told to leave."""

    def __init__(
        self, folder: Path, *, prefix: tuple[str, ...] = (), python: str = "", **options: Any
    ) -> None:
        self.folder = folder
        path = os.pathsep.join([str(ROOT), *(entry for entry in sys.path if "site-pack" in entry)])
        self.process = subprocess.Popen(
            [*prefix, python or sys.executable, "-W", "error", "-c", HOLD, str(folder)],
            env=os.environ | {"PYTHONPATH": path},
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
    deadline = time.monotonic() + 60
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
