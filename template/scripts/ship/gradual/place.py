"""Where a release goes, what a cloud must be able to do, and how it is asked over HTTP."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

TRIES = 4
PAUSE = 2.0
# Amazon says so with 400.
BUSY = ("Throttling", "ConcurrentUpdate")


class Failed(Exception):
    """The release was given up."""


class Cloud(Protocol):
    """A version is whatever the cloud calls one that it can give requests to."""

    def recall(self) -> dict[str, str]:
        """`live` always, `next` and `before` when there are any."""

    def remember(self, **marks: str) -> None:
        """An empty one is forgotten."""

    def make(self, image: str) -> str:
        """A version with this image and the settings of now; it gets no requests."""

    def begin(self, version: str) -> None:
        """Let it run, if it does not."""

    def ready(self, version: str) -> bool: ...

    def share(self, shares: dict[str, int]) -> None:
        """Percent of requests, 100 together."""

    def keep(self, version: str) -> None:
        """No other one need run any more."""

    def image(self, version: str) -> str: ...

    def figures(self, version: str, minutes: int) -> list[dict[str, Any]]:
        """The lines `metrics.figures` that it wrote in these minutes."""


@dataclass(frozen=True)
class Place:
    folder: Path
    environment: str
    slug: str
    region: str

    def name(self, letters: int) -> str:
        """As sizes.tf makes it."""
        return f"{self.slug[:letters].removesuffix('-')}-{self.environment[:4]}"

    def part(self, part: str, image: str) -> None:
        """`migrate` or `worker`, which are the same in a rolling release."""
        words = [str(self.folder / "release.sh"), self.environment, image, part]
        if subprocess.run(words, check=False).returncode:
            raise Failed(f"{part} failed.")


def told(*words: str) -> str:
    """What a command line says."""
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(words[:4])} … failed.")
    return done.stdout.strip()


class Token:
    """What a command line signs requests with. It is kept while it is good, an hour as a rule: what
    the pipeline signed in with is too old for another one after some minutes."""

    def __init__(self, *words: str) -> None:
        self.words, self.found = words, ""

    def __str__(self) -> str:
        self.found = self.found or told(*self.words)
        return self.found


def ask(method: str, url: str, token: Token, body: Any = None) -> Any:
    """JSON there and back, with a token that says who asks."""
    data = None if body is None else json.dumps(body).encode()

    def headers() -> dict[str, str]:
        return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    return json.loads(sent(method, url, token, headers, data) or b"{}")


def sent(
    method: str,
    url: str,
    token: Token,
    headers: Callable[[], dict[str, str]],
    data: bytes | None,
) -> bytes:
    """What is asked may be asked again, so a busy cloud is."""
    for left in reversed(range(TRIES)):
        request = urllib.request.Request(url, data, headers(), method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            said = error.read(2000).decode(errors="replace")
            old = error.code == 401 or "ExpiredToken" in said
            if old:
                token.found = ""
            busy = error.code >= 500 or error.code in (409, 429) or any(map(said.count, BUSY))
            if not left or not (old or busy):
                raise Failed(f"{method} {url}: {error.code} {said}") from error
        except OSError as error:
            if not left:
                raise Failed(f"{method} {url}: {error}") from error
        time.sleep(PAUSE)
    raise AssertionError
