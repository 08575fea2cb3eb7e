"""A process that has imported what a release imports first, and forks one for each release.

Half of what a short release costs is that Python starts and reads urllib; these tests run hundreds.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import IO

# Whoever is forked leaves the loop, and is from there on what `python -c PROGRAM WORDS` would be.
LOOP = r"""
import json, os, runpy, socket, subprocess, sys, time, urllib.request
asked = socket.socket(fileno=int(sys.argv[1]))
while True:
    said, fds, *_ = socket.recv_fds(asked, 1, 1)
    if not said:
        os._exit(0)
    while not said.endswith(b"\n"):
        said += asked.recv(1 << 16)
    if not (pid := os.fork()):
        break
    os.close(fds[0])
    asked.sendall(b"%d\n" % pid)
    asked.sendall(b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
asked.close()
os.dup2(fds[0], 1)
os.dup2(fds[0], 2)
os.close(fds[0])
folder, program, words, environment = json.loads(said)
os.chdir(folder)
os.environ.clear()
os.environ.update(environment)
sys.argv[1:] = words
exec(compile(program, "-c", "exec"), {"__name__": "__main__"})
"""


@cache
def _warm() -> tuple[socket.socket, IO[bytes]]:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", LOOP, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
    answers = ours.makefile("rb")

    @atexit.register
    def end() -> None:
        answers.close()
        ours.close()
        process.wait()

    return ours, answers


class Forked:
    """What these tests use of subprocess.Popen; one runs at a time."""

    def __init__(
        self, program: str, words: tuple[str, ...], cwd: Path, env: dict[str, str]
    ) -> None:
        asked, self._answers = _warm()
        self._reading, writing = os.pipe()
        line = json.dumps([str(cwd), program, words, env]).encode() + b"\n"
        socket.send_fds(asked, [line[:1]], [writing])
        asked.sendall(line[1:])
        os.close(writing)
        self.pid = int(self._answers.readline())
        self.returncode = 0
        self._ended = threading.Event()

    def communicate(self) -> str:
        with open(self._reading, encoding="utf-8") as told:  # noqa: PTH123 it is no path
            said = told.read()
        self.returncode = int(self._answers.readline())
        self._ended.set()
        return said

    def wait(self) -> None:
        self._ended.wait()

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)
