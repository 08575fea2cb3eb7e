"""`app dev`, as someone at a terminal meets it."""

import errno
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from app.dev import _worth_a_line
from tests.conftest import ROOT, free_port

pytestmark = pytest.mark.dear

Started = subprocess.Popen[str]


@pytest.fixture
def dev() -> Iterator[Callable[[int], Started]]:
    """`dev(port)` starts it on this run's database, in a process group of its own."""
    started: list[Started] = []

    def start(port: int) -> Started:
        own = {"APP_ENV": "development", "PUBLIC_URL": f"http://localhost:{port}"}
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "app.cli", "dev", "--port", str(port)],
                cwd=ROOT,
                env=os.environ | own | {"JOBS_IN_PROCESS": "false"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        )
        return started[0]

    yield start
    for process in started:
        with process, suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_taken_port_is_told_before_anything_starts(dev: Callable[[int], Started]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        told, _ = dev(port).communicate(timeout=120)

    reason = os.strerror(errno.EADDRINUSE)
    assert told == f"Port {port}: {reason}. Choose another: make dev PORT={port + 1}\n"


def test_it_says_where_it_is_and_is_gone_when_it_was_killed(dev: Callable[[int], Started]) -> None:
    port = free_port()
    process = dev(port)
    assert process.stdout
    for line in process.stdout:
        if f"http://localhost:{port}" in line:
            break
    assert answers(port)

    process.kill()  # the one that watches for changes; another one serves

    deadline = time.monotonic() + 60
    while answers(port):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_the_clock_runs_and_ends_well_does_not_hide_the_addresses() -> None:
    import app.mail.jobs  # noqa: F401 the schedule is what modules say

    def told(**line: str) -> bool:
        return _worth_a_line(logging.makeLogRecord({"msg": line}))

    assert told(event="worker.started")
    assert told(event="job.failed", job="mail.remove_old")
    assert told(event="job.finished", job="mail.send")
    assert not told(event="job.finished", job="mail.remove_old")
