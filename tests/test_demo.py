"""`make demo` on a clean clone, as the README promises it: it runs, and Ctrl-C leaves nothing."""

import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest
from conftest import ROOT, git

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc"),
]
PATIENCE = 600


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is committed, and nothing that this clone has installed or built."""
    # As on anybody's machine: without it every start would compile everything anew.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    git(ROOT, "clone", "--quiet", "--no-hardlinks", str(ROOT), str(tmp_path / "eighty"))
    return tmp_path / "eighty"


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def demo(clone: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """`make demo` as a terminal starts it: in a process group that Ctrl-C reaches."""
    process = subprocess.Popen(
        ["make", "demo", f"PORT={port}"],
        cwd=clone,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )

    def kill() -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    hung = threading.Timer(PATIENCE, kill)
    hung.start()
    with process:
        yield process
        hung.cancel()
        kill()


def test_it_runs_within_a_minute_and_ends_with_ctrl_c(
    demo: subprocess.Popen[str],
    clone: Path,
    port: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    started = time.monotonic()
    told = ""
    assert demo.stdout
    while "Ctrl-C stops it" not in told:
        line = demo.stdout.readline()
        assert line, told
        told += line
    address = f"http://localhost:{port}"
    assert re.findall(r"http://\S+", told) == [address, f"{address}/dev/inbox"]
    with urlopen(f"{address}/health/ready") as answer:
        assert b'"status":"ok"' in answer.read()
    seconds = time.monotonic() - started
    with urlopen(f"{address}/dev/inbox") as answer:
        assert b"No mail" in answer.read()
    with capfd.disabled():
        print(f"\nmake demo on a clean clone: ready after {seconds:.1f} s")
    assert {"app", "postgres"} <= programs(clone)

    os.killpg(demo.pid, signal.SIGINT)

    rest, _ = demo.communicate(timeout=120)
    assert rest.endswith("Stopped.\n")
    assert "Traceback" not in told + rest
    deadline = time.monotonic() + 120
    while left := programs(clone):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def programs(folder: Path) -> set[str]:
    """What runs from this folder or for it."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            at = (process / "cwd").readlink()
            if at.is_relative_to(folder) or any(str(folder) in word for word in words):
                found |= {Path(word).name for word in words[:2] if word}
    return found
