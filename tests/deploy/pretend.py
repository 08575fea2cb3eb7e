"""A cloud that a release speaks to over HTTP, and what people meet in it.

Each image has figures: what one process of it would write into its log in a minute if it had all
requests. What a version tells follows from its share, as it would outside.
"""

import json
import os
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from warm import Forked

GOOD = {
    "requests": 4000, "failed": 4, "timed": 3000, "slow": 30, "answered": 1000,
    "unanswered": 20, "dollars": 30.0,
}  # fmt: skip
# Waiting costs nothing: whoever sleeps only moves the clock.
QUICKLY = """
import runpy, subprocess, sys, time, urllib.request
now = [0.0]
time.sleep = lambda seconds: now.__setitem__(0, now[0] + seconds)
time.monotonic = lambda: now[0]
sys.argv = ["gradual", *sys.argv[1:]]
runpy.run_path("scripts/ship/gradual", run_name="__main__")
"""


def line(**figures: float) -> dict[str, Any]:
    return {"event": "metrics.figures", **GOOD, **figures}


class Pretended:
    """What is planted, and what was seen."""

    def __init__(self) -> None:
        self.figures: dict[str, dict[str, Any]] = {}
        self.broken: set[str] = set()
        self.silent: set[str] = set()
        self.deaf = 0
        """How many questions nobody answers."""
        self.good_for: int | None = None
        """How many questions the first token is good for."""
        self.seen: list[dict[str, int]] = []
        """How requests were shared, one after the other."""
        self.when: dict[int, signal.Signals] = {}
        """At which percent of the new version the release is broken off, and how."""
        self.dies_after: int | None = None
        """How many changes the cloud hears of before the release is killed."""
        self.running: Forked | None = None
        self.cloud: Cloud

    def knows(self, who: str) -> bool:
        if self.good_for is not None and who == "Bearer token-1":
            self.good_for -= 1
            return self.good_for >= 0
        return who.startswith("Bearer token-")

    def changed(self) -> None:
        shares = self.cloud.shares()
        if not self.seen or self.seen[-1] != shares:
            self.seen.append(shares)

    def touched(self) -> None:
        if self.dies_after is None or not self.running:
            return
        self.dies_after -= 1
        if not self.dies_after:
            self.running.send_signal(signal.SIGKILL)
            self.running.wait()

    def lines(self, image: str) -> list[dict[str, Any]]:
        percent = self.cloud.shares().get(image, 0)
        if percent in self.when and self.running:
            self.running.send_signal(self.when.pop(percent))
        if image in self.silent:
            return []
        all_of_it = self.figures.get(image, line())
        one = {
            name: number * percent / 200 if name in GOOD else number
            for name, number in all_of_it.items()
        }
        return [one, one]


class Cloud(ABC):
    kind: str
    region: str

    def __init__(self, pretended: Pretended) -> None:
        self.pretended = pretended
        pretended.cloud = self

    @abstractmethod
    def environment(self, address: str) -> dict[str, str]: ...

    @abstractmethod
    def shares(self) -> dict[str, int]:
        """What people meet: percent by image."""

    @abstractmethod
    def running(self) -> set[str]:
        """The images of what costs also without requests."""

    too_old = (401, b"")
    """What who comes with an old token is told."""
    busy = (503, b"")

    def token(self, url: SplitResult, headers: Message, raw: bytes) -> str:
        return str(headers["Authorization"])

    def said(self, method: str, url: SplitResult, headers: Message, raw: bytes) -> bytes:
        body = json.loads(raw or b"{}")
        told = self.answer(method, url.path, dict(parse_qsl(url.query)), body)
        if method == "PATCH":
            self.pretended.touched()
        return json.dumps(told).encode()

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        raise NotImplementedError


def served(cloud: Cloud) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            raw, url = self.rfile.read(length), urlsplit(self.path)
            status, said = 200, b""
            try:
                if not cloud.pretended.knows(cloud.token(url, self.headers, raw)):
                    status, said = cloud.too_old
                elif cloud.pretended.deaf:
                    cloud.pretended.deaf -= 1
                    status, said = cloud.busy
                else:
                    said = cloud.said(self.command, url, self.headers, raw)
            except Exception as error:  # noqa: BLE001 the script tells it, the test shows it
                status, said = 400, repr(error).encode()
            with suppress(ConnectionError):  # who asked was killed
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

        do_GET = do_POST = do_PATCH = _do  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


Release = Callable[..., tuple[int, str]]


def released(folder: Path, cloud: Cloud, more: dict[str, str]) -> Release:
    """`make deploy` and so on, in a folder that has a project's scripts."""

    def release(*words: str) -> tuple[int, str]:
        running = Forked(QUICKLY, words, folder, os.environ | more)
        cloud.pretended.running = running
        told = running.communicate()
        return running.returncode, told

    return release
