"""Start servers on one core, measure them from the other."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TEMPLATE = ROOT / "template"
CORES = sorted(os.sched_getaffinity(0))
SERVER, CLIENT = {CORES[0]}, {CORES[-1]}
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status < 500
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


class Server:
    """A server process, its address and what it has used."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, start_seconds: float) -> None:
        self.process = process
        self.url = url
        self.start_seconds = start_seconds

    def cpu_seconds(self) -> float:
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        user, system = stat[stat.rindex(")") + 2 :].split()[11:13]
        return (int(user) + int(system)) / TICKS

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextmanager
def serve(
    words: list[str], path: str, *, cores: set[int] | None = None, **environment: str
) -> Iterator[Server]:
    """Run `words` with `{port}` filled in until it answers at `path`."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    start = time.perf_counter()
    process = subprocess.Popen(
        [word.replace("{port}", str(port)) for word in words],
        # What Python compiled is kept: a start that compiles the app anew is not the second one.
        env=os.environ
        | {"PYTHONPATH": f"{TEMPLATE}:{HERE}", "PYTHONDONTWRITEBYTECODE": ""}
        | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: os.sched_setaffinity(0, cores or SERVER),
    )
    try:
        while not answers(url + path):
            if process.poll() is not None:
                sys.exit(f"{' '.join(words)} ended with {process.returncode}")
            time.sleep(0.01)
        yield Server(process, url, time.perf_counter() - start)
    finally:
        process.terminate()
        process.wait(30)


def uvicorn(factory: str, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "uvicorn", factory, "--port", "{port}", "--log-level", "warning"),
        *("--no-access-log", *more),
    ]


def load(url: str, *words: str, targets: list[tuple[str, ...]] | None = None) -> dict[str, Any]:
    """Run the load client on the other core; `targets` are (path, body, header …)."""
    done = subprocess.run(
        [sys.executable, str(HERE / "load.py"), url, *words, *(["--targets"] if targets else [])],
        input=json.dumps(targets or []).encode(),
        stdout=subprocess.PIPE,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, CLIENT),
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found
